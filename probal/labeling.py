"""Labeling as pages, API and command line do it: hand out, take in, and ask for a refit when one is due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from probal import advice, validate
from probal.errors import UserError
from probal.store import REFERENCE, Store
from probal.types import (
    Event,
    ImageState,
    JobKind,
    JobState,
    LeaseItem,
    Project,
    RecordResult,
    Role,
)

MAX_LEASE = 200


@dataclass(frozen=True)
class Progress:
    """How far the labeling is; cheap enough to go with every answer."""

    labels: int
    """Labels spent, audit included, as the curve counts them."""
    round: int
    """Index of the latest round, 0 before the first."""
    batch_done: int
    """Labels that came or changed since the latest fit."""
    batch_size: int


@dataclass(frozen=True)
class JobStatus:
    """The job that is queued or running, or the last one if it failed."""

    kind: str
    state: str
    done: int
    total: int
    """0 while it is not known."""
    message: str
    error: str | None


@dataclass(frozen=True)
class MetricStatus:
    """The latest value of a measurement."""

    value: float
    low: float | None
    high: float | None
    n: int
    labels: int
    preliminary: bool


@dataclass(frozen=True)
class ProjectStatus:
    """Where a project stands; `dataclasses.asdict` of it is JSON-able."""

    project: str
    image_root: str | None
    encoder: str
    images: Mapping[str, int]
    """Images by state: ok, corrupt, duplicate, missing."""
    labels: int
    """Labels spent: pool and audit."""
    pool_labeled: int
    pool_total: int
    audit_labeled: int
    audit_total: int
    audit_skipped: int
    """Audit images skipped and not labeled; they make the accuracy less sure."""
    test_labeled: int
    class_counts: Mapping[str, int]
    """Pool and audit labels by class name, classes without one included."""
    rounds: int
    batch_done: int
    batch_size: int
    metrics: Mapping[str, MetricStatus]
    """Latest value by name."""
    stopping: Mapping[str, Any] | None
    """The advice whether to stop, as `StoppingAdvice.to_dict`; None before the first measurement."""
    drift: Mapping[str, Any] | None
    """How images added later differ from the first, as `Drift.to_dict`; None while they are too few."""
    decision: str | None
    """How the latest round's images were chosen, in a sentence; None where the strategy has nothing to tell."""
    decided: Mapping[str, float] | None
    """The numbers behind it, see `probal.acquisition.herding`."""
    job: JobStatus | None
    created_at: str
    """ISO 8601, UTC."""


def lease(
    store: Store, project: Project, annotator: str, client: str, n: int, keep: Sequence[int] | None = None
) -> list[LeaseItem]:
    """Up to `n` images for one window (`client`) of one annotator: those it holds first, then new ones.

    With `keep`, what it holds beside these is swapped for the best there are now, see `Store.lease`.

    Raises:
        UserError: not a name to label under, or `n` out of range.
    """
    annotator = annotator_name(annotator)
    if not 1 <= n <= MAX_LEASE:
        raise UserError(f"{n} images asked for at once: 1 to {MAX_LEASE} are possible")
    items = _in_use(store, project, store.lease(project.id, annotator, client, n, datetime.now(UTC), keep))
    if len(items) < n:
        # labels that came while a fit was running, with none after them, would wait for ever
        enqueue_if_due(store, project, after_failure=False)
    return items


def _in_use(store: Store, project: Project, items: list[LeaseItem]) -> list[LeaseItem]:
    """The predictions in the classes of today: a round may be older than a merge or than an archived class."""
    known = store.classes(project.id, archived=True)
    if not any(each.archived for each in known):
        return items
    now = {each.id: each.merged_into or each.id for each in known}
    used = {each.id for each in known if not each.archived}

    def today(pairs: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
        shares: dict[int, float] = defaultdict(float)
        for class_id, share in pairs:
            if now.get(class_id) in used:
                shares[now[class_id]] += share
        return tuple(sorted(shares.items(), key=lambda pair: -pair[1]))

    return [
        item
        if item.predicted is None or item.why is None
        else replace(
            item,
            predicted=today(item.predicted),
            why=replace(item.why, contested=today(item.why.contested)),
        )
        for item in items
    ]


def annotator_name(name: str) -> str:
    """A name to label under, cleaned. UserError for one that is not."""
    name = validate.annotator(name)
    if name == REFERENCE:
        raise UserError(f"the name {REFERENCE!r} is kept for labels that came with the images: use another")
    return name


def record(
    store: Store, project: Project, events: Sequence[Event], require_lease: bool = True
) -> RecordResult:
    """Store events, see `Store.record`, and ask for a refit when one is due."""
    # as `lease` cleans the name, or the lease would not be this annotator's
    cleaned = [replace(event, annotator=validate.clean(event.annotator)) for event in events]
    result = store.record(project.id, cleaned, require_lease)
    if result.accepted:
        enqueue_if_due(store, project)
    return result


def enqueue_if_due(store: Store, project: Project, after_failure: bool = True) -> bool:
    """Queue a refit if one is due and none is on its way; the worker asks too when it has finished one.

    Args:
        after_failure: also when the last one failed; a page that polls would otherwise repeat it for ever.
    """
    last = store.last_job(project.id, JobKind.REFIT)
    if last is not None:
        if last.state in (JobState.QUEUED, JobState.RUNNING):
            return False
        if last.state is JobState.FAILED and not after_failure:
            return False
    if not refit_due(store, project):
        return False
    store.enqueue(project.id, JobKind.REFIT)
    return True


def refit_due(store: Store, project: Project) -> bool:
    """Whether a batch of labels has come or changed since the latest fit, or its proposals are used up.

    Pool and audit labels count alike. A batch is used up when each of its images has an answer or was
    skipped; a round without any proposal has nothing to use up.
    """
    latest = store.latest_round(project.id)
    if latest is None:
        return False
    if store.changed_labels(project.id, latest.event_watermark) >= project.config.batch_size:
        return True
    proposed, waiting = store.batch(latest.id)
    # without an event since, another fit would propose the same again, and again
    return proposed > 0 and waiting == 0 and store.watermark(project.id) > latest.event_watermark


def progress(store: Store, project: Project) -> Progress:
    """Labels so far, and how many of the running batch."""
    latest = store.latest_round(project.id)
    if latest is None:
        spent = store.labels_spent(project.id)
        return Progress(spent, 0, spent, project.config.batch_size)
    changed, more = store.label_changes(project.id, latest.event_watermark)
    return Progress(latest.n_labels + more, latest.index, changed, project.config.batch_size)


def status(store: Store, project: Project) -> ProjectStatus:
    """Images by state, labels, the audit, the latest measurements and the running job."""
    images = store.image_counts(project.id)
    counts = store.label_counts(project.id)
    labeled = {role: sum(by_class.values()) for role, by_class in counts.items()}
    latest = store.latest_round(project.id)
    since = latest.event_watermark if latest is not None else 0
    advised, drifted = advice.stopping(store, project), advice.drift(store, project)
    return ProjectStatus(
        project=project.name,
        image_root=project.config.image_root,
        encoder=project.config.encoder,
        images={
            str(state): sum(n for (_, its_state), n in images.items() if its_state is state)
            for state in ImageState
        },
        labels=labeled[Role.POOL] + labeled[Role.AUDIT],
        pool_labeled=labeled[Role.POOL],
        pool_total=images.get((Role.POOL, ImageState.OK), 0),
        audit_labeled=labeled[Role.AUDIT],
        audit_total=images.get((Role.AUDIT, ImageState.OK), 0),
        audit_skipped=store.skipped_images(project.id, Role.AUDIT),
        test_labeled=labeled[Role.TEST],
        class_counts={
            each.name: counts[Role.POOL].get(each.id, 0) + counts[Role.AUDIT].get(each.id, 0)
            for each in store.classes(project.id)
        },
        rounds=0 if latest is None else latest.index + 1,
        batch_done=store.changed_labels(project.id, since),
        batch_size=project.config.batch_size,
        metrics={
            metric.name: MetricStatus(
                metric.value, metric.low, metric.high, metric.n, metric.labels, metric.preliminary
            )
            for metric in store.metrics(project.id)
        },
        stopping=None if advised is None else advised.to_dict(),
        drift=None if drifted is None else drifted.to_dict(),
        decision=None if latest is None else advice.decision(latest),
        decided=None if latest is None else latest.config.get("decided"),
        job=_job(store, project),
        created_at=project.created_at.isoformat(),
    )


def _job(store: Store, project: Project) -> JobStatus | None:
    """The newest job, unless it ended well."""
    newest = next(iter(store.jobs(project.id, limit=1)), None)
    if newest is None or newest.state is JobState.DONE:
        return None
    return JobStatus(
        str(newest.kind), str(newest.state), newest.done, newest.total, newest.message, newest.error
    )
