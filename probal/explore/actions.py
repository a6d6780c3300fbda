"""What someone does with the images found: label many at once, take that back, put them into the next batch, ask.

Labels are ordinary events under the person's name. Images of the audit and the test set are refused, whoever names
them: the accuracy rests on their being labeled one by one and blind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from probal import labeling
from probal.errors import UserError
from probal.store import Store
from probal.types import Event, EventKind, ImageState, JobKind, Project, Role

BY_HAND = "chosen_by_hand"
"""Setting: {"image_ids": images that the next round is to begin with}."""
MOST_BY_HAND = 200
ASKED = "explore_asked"
"""Setting: what people wait for the worker to find out, {"texts": [...], "image_ids": [...]}."""
MOST_ASKED = 20
KEPT = "labels_kept"
"""Setting: {"image_ids", "class_ids"} of doubted labels that someone held right."""


@dataclass(frozen=True)
class BulkLabel:
    """What a bulk label did."""

    event_ids: tuple[str, ...]
    """Of the labels, for `undo`."""
    left_alone: int
    """Images that were not labeled: they had a label, or are not the pool's."""
    rejected: tuple[str, ...] = ()
    """Reasons of the store, each once."""


def bulk_label(
    store: Store,
    project: Project,
    image_ids: Sequence[int],
    class_id: int,
    annotator: str,
    relabel: bool = False,
) -> BulkLabel:
    """Give many pool images a class; those that have a label keep it, unless `relabel`.

    Raises UserError for a name that nobody can label under.
    """
    annotator = labeling.annotator_name(annotator)
    pool = {image.id for image in store.images(project.id, state=ImageState.OK, role=Role.POOL)}
    labels = store.labels_of(project.id, image_ids)
    wanted = [
        each
        for each in dict.fromkeys(image_ids)
        if each in pool and (each not in labels or (relabel and labels[each].class_id != class_id))
    ]
    events = [
        Event(str(uuid4()), EventKind.LABEL, annotator, image_id=each, class_id=class_id) for each in wanted
    ]
    result = labeling.record(store, project, events, require_lease=False)
    reasons = tuple(dict.fromkeys(reason for _, reason in result.rejected))
    return BulkLabel(result.accepted, len(set(image_ids)) - len(result.accepted), reasons)


def undo(store: Store, project: Project, event_ids: Sequence[str], annotator: str) -> int:
    """Take back these labels of the annotator's; how many were."""
    annotator = labeling.annotator_name(annotator)
    events = [Event(str(uuid4()), EventKind.UNDO, annotator, target_event_id=each) for each in event_ids]
    return len(labeling.record(store, project, events, require_lease=False).accepted)


def keep(store: Store, project: Project, image_id: int, class_id: int) -> None:
    """Note that someone looked at a doubted label again and holds it right; it is not shown as doubtful any more.

    A setting and no event: who sees the label while answering gives no second opinion, which events would count.
    """
    kept = {**kept_labels(store, project), image_id: class_id}
    store.set_setting(project.id, KEPT, {"image_ids": [*kept], "class_ids": [*kept.values()]})


def kept_labels(store: Store, project: Project) -> dict[int, int]:
    """Class id by image id of the doubted labels that someone held right."""
    kept = store.get_setting(project.id, KEPT, {"image_ids": [], "class_ids": []})
    return dict(zip(kept["image_ids"], kept["class_ids"], strict=True))


def add_to_batch(store: Store, project: Project, image_ids: Sequence[int]) -> int:
    """Begin the next round with these pool images and ask for it; how many wait to be in it now.

    Raises UserError before the first round, and for more than a round takes.
    """
    if store.latest_round(project.id) is None:
        raise UserError(
            "no batch was chosen yet: wait for the first one, which comes when the images are read"
        )
    pool = {image.id for image in store.images(project.id, state=ImageState.OK, role=Role.POOL)}
    pool -= store.labels_of(project.id, image_ids).keys()
    waiting = store.get_setting(project.id, BY_HAND, {"image_ids": []})["image_ids"]
    wanted = list(dict.fromkeys([*waiting, *(each for each in image_ids if each in pool)]))
    if not wanted:
        raise UserError("none of these images can be in a batch: they have labels already")
    if len(wanted) > MOST_BY_HAND:
        raise UserError(
            f"{len(wanted)} images chosen by hand: a batch takes {MOST_BY_HAND} at most, so choose fewer"
        )
    store.set_setting(project.id, BY_HAND, {"image_ids": wanted})
    store.enqueue(project.id, JobKind.REFIT)
    return len(wanted)


def ask(store: Store, project: Project, text: str | None = None, image_id: int | None = None) -> None:
    """Ask the worker for the vector of a text, or for what stands for an image's embedding distribution."""
    asked = store.get_setting(project.id, ASKED, {"texts": [], "image_ids": []})
    for kind, what in (("texts", text), ("image_ids", image_id)):
        if what is not None:
            others = [each for each in asked[kind] if each != what]
            asked[kind] = [*others, what][-MOST_ASKED:]
    store.set_setting(project.id, ASKED, asked)
    store.enqueue(project.id, JobKind.ANSWER)
