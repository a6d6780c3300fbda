"""Who labels a project: how much and how fast, how far people agree, and settling where they do not. No torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any
from uuid import uuid4

from probal import labeling
from probal.errors import UserError
from probal.evaluation import Agreement, OddAnnotator, class_agreement, odd_annotators, repeat_agreement
from probal.evaluation.agreement import (
    PairAgreement,
    alpha_by,
    disagreements,
    krippendorffs_alpha,
    pairs,
)
from probal.store import Store
from probal.store.people import Given
from probal.store.second_opinions import Overlap
from probal.types import Event, EventKind, Project

PAUSE = timedelta(minutes=5)
"""A gap between two answers that counts as no work."""
MAX_ANNOTATORS = 10
_LABELS = (EventKind.LABEL, EventKind.CONFIRM)


@dataclass(frozen=True)
class Person:
    """One annotator's work so far."""

    name: str
    images: int
    """Images with a label of theirs."""
    skips: int
    flags: int
    settled: int
    """Disagreements they decided."""
    seconds: float | None
    """Median time from an image on screen to its answer; None where no client told."""
    per_hour: float | None
    """Answers an hour, pauses of five minutes and more aside; None before the second answer."""
    last: datetime
    repeats: Agreement | None
    """How often they gave an image the same class when it came back; None where none came back."""


@dataclass(frozen=True)
class Dispute:
    """An image on which people differ, for somebody to decide."""

    image_id: int
    given: Mapping[str, int]
    """Class id by person."""


@dataclass(frozen=True)
class PeopleReport:
    """Everything about the people of one project; coefficients are None where they mean nothing."""

    people: tuple[Person, ...]
    shared: int
    """Images that two or more people labeled."""
    alpha: float | None
    pairs: tuple[PairAgreement, ...]
    classes: Mapping[int, Agreement]
    """By the class that most gave: on how many images all were of one mind."""
    rounds: Mapping[int, tuple[float | None, int]]
    """Alpha and images with two answers, by the index of the round that proposed them."""
    odd: tuple[OddAnnotator, ...]
    disputes: tuple[Dispute, ...]


def report(store: Store, project: Project) -> PeopleReport:
    """Read the log once and tell all of it."""
    given = store.given(project.id)
    labels = [each for each in given if each.kind in _LABELS and each.class_id is not None]
    answers = [(each.annotator, each.image_id, int(each.class_id or 0)) for each in labels]
    by_person: dict[str, list[Given]] = defaultdict(list)
    for each in given:
        by_person[each.annotator].append(each)
    told: dict[int, set[str]] = defaultdict(set)
    for annotator, image_id, _ in answers:
        told[image_id].add(annotator)
    closed = {each.image_id for each in given if each.kind is EventKind.ADJUDICATE}
    closed |= set(store.flagged_images(project.id))
    round_of = {
        proposal.image_id: each.index
        for each in store.rounds(project.id)
        for proposal in store.proposals(each.id)
        if len(told.get(proposal.image_id, ())) > 1
    }
    return PeopleReport(
        people=tuple(
            sorted((_person(name, rows) for name, rows in by_person.items()), key=lambda p: -p.images)
        ),
        shared=sum(len(names) > 1 for names in told.values()),
        alpha=krippendorffs_alpha(answers),
        pairs=tuple(pairs(answers)),
        classes=class_agreement(answers),
        rounds=alpha_by(answers, round_of),
        odd=tuple(odd_annotators(answers)),
        disputes=tuple(
            Dispute(image_id, said)
            for image_id, said in disagreements(answers).items()
            if image_id not in closed
        ),
    )


def settle(
    store: Store, project: Project, image_id: int, class_id: int, by: str, note: str | None = None
) -> None:
    """Decide which class an image has; outranks all labels. UserError where it cannot be."""
    name = labeling.annotator_name(by)
    event = Event(
        str(uuid4()), EventKind.ADJUDICATE, name, image_id=image_id, class_id=class_id, note=note or None
    )
    result = labeling.record(store, project, [event], require_lease=False)
    if result.rejected:
        raise UserError(result.rejected[0][1])


def set_overlap(store: Store, project: Project, share: float, annotators: int, repeats: float) -> Overlap:
    """How many images are labeled more than once, from now on. UserError for what is no share."""
    for what, value in (("share of images for several people", share), ("share of repeats", repeats)):
        if not 0 <= value <= 1:
            raise UserError(f"the {what} must be between 0 and 1, got {value:g}")
    if not 2 <= annotators <= MAX_ANNOTATORS:
        raise UserError(f"an image can be labeled by 2 to {MAX_ANNOTATORS} people, got {annotators}")
    overlap = Overlap(share, annotators, repeats)
    store.set_overlap(project.id, overlap)
    return overlap


def as_json(store: Store, project: Project, found: PeopleReport) -> dict[str, Any]:
    """The report for a script: classes by name, times in ISO 8601."""
    names = {each.id: each.name for each in store.classes(project.id, archived=True)}

    def share(each: Agreement | None) -> dict[str, Any] | None:
        return None if each is None else {"same": each.same, "n": each.n, "low": each.low, "high": each.high}

    return {
        "people": [
            {**vars(each), "last": each.last.isoformat(), "repeats": share(each.repeats)}
            for each in found.people
        ],
        "shared": found.shared,
        "alpha": found.alpha,
        "pairs": [
            {"first": each.first, "second": each.second, "kappa": each.kappa, "percent": share(each.percent)}
            for each in found.pairs
        ],
        "classes": {names[class_id]: share(each) for class_id, each in found.classes.items()},
        "rounds": {str(index): {"alpha": alpha, "n": n} for index, (alpha, n) in found.rounds.items()},
        "odd": [{**vars(each), "class": names[each.class_id]} for each in found.odd],
        "disputes": [
            {"image_id": each.image_id, "given": {who: names[c] for who, c in each.given.items()}}
            for each in found.disputes
        ],
    }


def _person(name: str, rows: Sequence[Given]) -> Person:
    labels = [each for each in rows if each.kind in _LABELS]
    times: dict[int, list[int]] = defaultdict(list)
    for each in labels:
        times[each.image_id].append(int(each.class_id or 0))
    twice = [given for given in times.values() if len(given) > 1]
    durations = [each.duration_ms / 1000 for each in rows if each.duration_ms is not None]
    return Person(
        name=name,
        images=len(times),
        skips=sum(each.kind is EventKind.SKIP for each in rows),
        flags=sum(each.kind is EventKind.FLAG for each in rows),
        settled=sum(each.kind is EventKind.ADJUDICATE for each in rows),
        seconds=median(durations) if durations else None,
        per_hour=_per_hour([each.created_at for each in rows]),
        last=max(each.created_at for each in rows),
        repeats=repeat_agreement([g[0] for g in twice], [g[-1] for g in twice])[None] if twice else None,
    )


def _per_hour(times: Sequence[datetime]) -> float | None:
    gaps = [after - before for before, after in pairwise(times)]
    worked = [gap.total_seconds() for gap in gaps if gap < PAUSE]
    return 3600 * len(worked) / sum(worked) if sum(worked) > 0 else None
