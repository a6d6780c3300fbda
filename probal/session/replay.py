"""A round proposed again from what was recorded of it: seed, settings, labels of that time, images then out."""

from __future__ import annotations

import copy
import hashlib
import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from probal.acquisition import propose
from probal.errors import UserError
from probal.session.ambiguity import project_probvlm, with_score
from probal.session.by_hand import begin_with
from probal.session.engine import Engine
from probal.session.loop import Session
from probal.session.snapshot import read_held_out, snapshot_path
from probal.session.vectors import ProjectVectors
from probal.store import Store
from probal.types import ClassInfo, CurrentLabel, Role, Round


@dataclass(frozen=True)
class Replay:
    """What came out; `differences` is empty where all is the same."""

    round: int
    recorded: tuple[str, ...]
    """Paths of the images that were proposed, best first."""
    replayed: tuple[str, ...]
    differences: tuple[str, ...]
    """In words, causes before effects."""

    @property
    def identical(self) -> bool:
        """The same images in the same order, from the same model and candidates."""
        return not self.differences


class PastStore(Store):
    """The store as a round saw it; what no record tells, such as the state of the images, is as it is now."""

    def __init__(self, present: Store, of: Round, class_ids: Sequence[int] | None) -> None:
        super().__init__(present._db)
        self._of = of
        self._class_ids = class_ids

    def watermark(self, project_id: int) -> int:
        return self._of.event_watermark

    def current_labels(
        self, project_id: int, role: Role | None = None, until: int | None = None, as_given: bool = False
    ) -> list[CurrentLabel]:
        labels = super().current_labels(project_id, role, self._of.event_watermark, as_given=True)
        if self._class_ids is None:
            return labels
        # a class that was merged since was one of its own then
        now = self.merged_classes(project_id)
        return [
            each if each.class_id in self._class_ids else replace(each, class_id=now[each.class_id])
            for each in labels
        ]

    def flagged_images(self, project_id: int, until: int | None = None) -> list[int]:
        return super().flagged_images(project_id, self._of.event_watermark)

    def pending_images(self, project_id: int, now: object) -> list[int]:
        return list(self._of.pending_ids)

    def classes(self, project_id: int, archived: bool = False) -> list[ClassInfo]:
        if self._class_ids is None or archived:
            return super().classes(project_id, archived)
        known = {each.id: each for each in super().classes(project_id, archived=True)}
        return [known[class_id] for class_id in self._class_ids]


def replay(session: Session, index: int) -> Replay:
    """Propose round `index` again; writes nothing.

    Raises UserError for a round that there is none of, and for one that was aimed at a target, whose images are
    not on record.
    """
    store, project = session.store, session.project
    rounds = store.rounds(project.id)
    of = next((each for each in rounds if each.index == index), None)
    if of is None:
        there = f"there are 0 to {rounds[-1].index}" if rounds else "none was proposed yet"
        raise UserError(f"'{project.name}' has no round {index}; {there}")
    if "target" in of.config:
        raise UserError(
            f"round {index} was aimed at a target, whose images are not on record: it cannot be replayed"
        )
    saved = read_held_out(snapshot_path(session.workspace, project, index))
    workspace = copy.copy(session.workspace)
    workspace.store = PastStore(store, of, None if saved is None else saved.class_ids.tolist())
    then = replace(project, config=replace(project.config, adapter=of.config["adapter"]))
    vectors = ProjectVectors(workspace, then)
    engine = Engine(workspace, then, vectors)
    with _threads(of.threads):
        fit = engine.fit_with(of.config.get("posterior"))
        # rounds of before there was any counted the whole batch
        found = engine.candidates(fit, fitted_after=of.config.get("fitted_after"))
        probvlm = project_probvlm(workspace, then, vectors.space.fingerprint)
        state = with_score(probvlm, found.state, of.strategy)
        generator = torch.Generator().manual_seed(of.seed)
        picks = propose(of.strategy, state, of.config["batch"], generator)
        picks = begin_with(picks, of.config.get("by_hand", {}).get("image_ids", []), found.images, state)
    paths = {image.id: image.path for image in store.images(project.id)}
    recorded = tuple(paths[item.image_id] for item in store.proposals(of.id))
    replayed = tuple(found.images[pick.row].path for pick in picks)
    hashes = sorted(found.images[i].content_hash for i in state.candidates.tolist())
    candidates = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    return Replay(
        index,
        recorded,
        replayed,
        tuple(_differences(of, vectors.space.fingerprint, fit.fingerprint, candidates, recorded, replayed)),
    )


def _differences(
    of: Round, encoder: str, adapter: str, candidates: str, recorded: Sequence[str], replayed: Sequence[str]
) -> Iterator[str]:
    if encoder != of.encoder_fingerprint:
        yield "the vectors are of another encoder, or of other weights of it"
    if candidates != of.candidate_hash:
        yield "the candidates are others: images came, went or changed their role since"
    if adapter != of.adapter_fingerprint:
        yield "the fitted model is another: prompts, vectors or libraries have changed since"
    if list(recorded) != list(replayed):
        same = len(set(recorded) & set(replayed))
        order = (
            "the same images in another order" if set(recorded) == set(replayed) else f"{same} are the same"
        )
        yield f"{len(replayed)} picks instead of {len(recorded)}, {order}"
    if list(recorded) != list(replayed) or adapter != of.adapter_fingerprint:
        for name, version in of.versions.items():
            now = importlib.metadata.version(name)
            if now != version:
                yield f"{name} was {version} and is {now}"


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """As many threads as then: sums in another order differ in their last digit."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
