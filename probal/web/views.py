"""From the store's records to the API's answers; reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from probal import labeling
from probal.store import Store
from probal.types import (
    Job,
    JobKind,
    JobState,
    LeaseItem,
    Project,
    Reason,
)
from probal.web.models import (
    Annotation,
    Annotations,
    CurvePoint,
    Item,
    Nearest,
    Progress,
    QueueState,
    RoundOut,
    Why,
)
from probal.web.security import image_url

LARGE, SMALL = 1280, 96
WAITING = {
    JobKind.PREPARE: (QueueState.PREPARING, "Getting the images ready"),
    JobKind.REFIT: (QueueState.REFITTING, "Learning from your labels; the next images come in a moment"),
    JobKind.MODEL: (QueueState.REFITTING, "Writing the model's files; the next images come in a moment"),
}
BUSY = (QueueState.REFITTING, "The worker is at something else; the next images come after that")


def items(store: Store, project: Project, leased: Sequence[LeaseItem], token: str) -> list[Item]:
    """Leased images with signed addresses; fields that an audit image lacks stay unset."""
    nearest = {item.why.nearest_labeled for item in leased if item.why is not None}
    found = store.labels_of(project.id, [image_id for image_id in nearest if image_id is not None])
    labels = {image_id: label.class_id for image_id, label in found.items()}
    was = store.classes_before(project.id, [item.image_id for item in leased if item.predicted is not None])
    return [_item(store, project, item, labels, was, token) for item in leased]


def _item(
    store: Store,
    project: Project,
    item: LeaseItem,
    labels: Mapping[int, int],
    was: Mapping[int, str],
    token: str,
) -> Item:
    bare = Item(
        image_id=item.image_id,
        proposal_id=item.proposal_id,
        lease=item.lease,
        media=image_url(token, item.content_hash, LARGE),
    )
    if item.predicted is None or item.why is None:
        return bare
    fields = dict(bare)
    fields["predicted"] = list(item.predicted)
    fields["why"] = _why(store, project, item.why, labels, token)
    fields["was"] = was.get(item.image_id)
    told = ("predicted", "why", "was") if item.image_id in was else ("predicted", "why")
    return Item(**{name: fields[name] for name in (*bare.model_fields_set, *told)})


def _why(store: Store, project: Project, reason: Reason, labels: Mapping[int, int], token: str) -> Why:
    nearest = None
    if reason.nearest_labeled is not None:
        image = store.image(project.id, reason.nearest_labeled)
        nearest = Nearest(
            image_id=image.id,
            thumb=image_url(token, image.content_hash, SMALL),
            class_id=labels.get(image.id),
            similarity=reason.nearest_similarity or 0.0,
        )
    return Why(
        strategy=reason.strategy,
        phase=reason.phase,
        score=reason.score,
        total=reason.total,
        aleatoric=reason.aleatoric,
        epistemic=reason.epistemic,
        contested=list(reason.contested),
        cluster=reason.cluster,
        ambiguity=reason.ambiguity,
        ambiguity_percentile=reason.ambiguity_percentile,
        nearest=nearest,
    )


def progress(store: Store, project: Project) -> Progress:
    """Labels so far, and how many of the running batch."""
    return Progress(**asdict(labeling.progress(store, project)))


def queue_state(store: Store, project: Project, any_leased: bool) -> tuple[QueueState, str]:
    """Whether there are images to label, and if not, why not and what to do."""
    if any_leased:
        return QueueState.READY, ""
    newest = next(iter(store.jobs(project.id, limit=1)), None)
    if newest is not None and newest.state in (JobState.QUEUED, JobState.RUNNING):
        state, message = WAITING.get(newest.kind, BUSY)
        return state, message + _how_far(newest)
    # what else failed is told on the page that asked for it
    if newest is not None and newest.state is JobState.FAILED and newest.kind in WAITING:
        return QueueState.FAILED, f"{newest.error} Open Pool and scan again once that is mended."
    if store.latest_round(project.id) is None:
        return QueueState.PREPARING, "Waiting for the images to be read. Open Pool to see how far it is"
    left = store.unanswered_images(project.id)
    if left:
        what = "image is" if left == 1 else "images are"
        return QueueState.EXHAUSTED, f"{left} {what} in another window's hands and come back in some minutes."
    return QueueState.EXHAUSTED, "Every image has its answer. Export takes the labels with you."


def _how_far(job: Job) -> str:
    if job.state is JobState.QUEUED:
        return " (waiting for the worker, which can take some seconds)"
    return f": {job.done} of {job.total}" if job.total else "…"


def event_log(store: Store, project: Project, after: int, limit: int) -> Annotations:
    """A page of the log."""
    stored = store.events(project.id, after_row=after, limit=limit)
    paths = {image.id: image.path for image in store.images(project.id)} if stored else {}
    names = {info.id: info.name for info in store.classes(project.id, archived=True)}
    rows = [
        Annotation(
            row=one.row,
            event_id=one.event.event_id,
            kind=one.event.kind,
            annotator=one.event.annotator,
            seq=one.event.seq,
            image_id=one.event.image_id,
            path=paths.get(one.event.image_id or 0),
            class_id=one.event.class_id,
            class_name=names.get(one.event.class_id or 0),
            target_event_id=one.event.target_event_id,
            flag_reason=one.event.flag_reason,
            note=one.event.note,
            duration_ms=one.event.duration_ms,
            created_at=one.created_at,
            active=one.active,
        )
        for one in stored
    ]
    return Annotations(annotations=rows, next=rows[-1].row if len(rows) == limit else None)


def rounds(store: Store, project: Project) -> list[RoundOut]:
    """The rounds, oldest first."""
    return [
        RoundOut(
            index=one.index,
            strategy=one.strategy,
            seed=one.seed,
            n_labels=one.n_labels,
            n_train=one.n_train,
            n_proposals=len(store.proposals(one.id)),
            event_watermark=one.event_watermark,
            candidate_hash=one.candidate_hash,
            encoder_fingerprint=one.encoder_fingerprint,
            adapter_fingerprint=one.adapter_fingerprint,
            config=dict(one.config),
            timings=dict(one.timings),
            created_at=one.created_at,
        )
        for one in store.rounds(project.id)
    ]


def curve(store: Store, project: Project) -> list[CurvePoint]:
    """The measurements in the order of the curve."""
    return [
        CurvePoint(
            name=one.name,
            labels=one.labels,
            value=one.value,
            low=one.low,
            high=one.high,
            n=one.n,
            round=one.round_index,
            preliminary=one.preliminary,
            detail=dict(one.detail),
        )
        for one in store.metrics(project.id)
    ]
