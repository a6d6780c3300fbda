"""Finding wrong labels: those a model doubts, those given differently a second time, and who gives them.

Shapes use the glossary of `probal.types`: n labeled images, C classes; answers are (annotator, image, class) triples,
one per annotator and image. Every function raises ValueError for shapes that do not fit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probal.evaluation.audit import accuracy_interval

Answer = tuple[str, int, int]
"""Annotator, image id, class id."""
ODD = 0.05
"""Family-wise error at which an annotator is named."""


@dataclass(frozen=True)
class Agreement:
    """How many of `n` images got the same class twice, with a 95 % interval of the share."""

    same: int
    n: int
    low: float
    high: float


@dataclass(frozen=True)
class OddAnnotator:
    """An annotator who differs from the others on one class more than the others do among themselves."""

    annotator: str
    class_id: int
    """What the others say the images are."""
    differs: int
    n: int
    others_differ: int
    others_n: int
    p_value: float
    """Fisher's exact test, one-sided, Holm-corrected over annotators and classes."""


def suspicious_labels(probs: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """Rows whose label is likely wrong, most suspicious first, from `probs` [n,C] and `labels` [n].

    Confident learning (Northcutt et al. 2021, arXiv 1911.00068) as cleanlab does it. `probs` must come from models
    that were not fitted on the row they speak about (cross-validation), else every label looks right.
    """
    p, y = np.asarray(probs, np.float64), np.asarray(labels)
    if p.ndim != 2 or y.shape != p.shape[:1] or y.dtype.kind not in "iu":
        raise ValueError(f"probs must be [n,C] and labels integers [n], got {p.shape} and {y.shape}")
    if not len(y):
        return np.zeros(0, np.int64)
    if y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(f"labels must be in 0…{p.shape[1] - 1}, got {y.min()}…{y.max()}")
    # takes seconds to load
    from cleanlab.filter import find_label_issues

    present = np.unique(y)
    if len(present) < 2:
        return np.zeros(0, np.int64)
    # classes without a label have no threshold of their own; their probability is shared out
    among = p[:, present] + 1e-12
    among /= among.sum(1, keepdims=True)
    found = find_label_issues(
        np.searchsorted(present, y), among, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return np.asarray(found, np.int64)


def repeat_agreement(first: Sequence[int], second: Sequence[int]) -> Mapping[int | None, Agreement]:
    """Agreement of labels given twice to the same images, blind: overall under None, and by first class.

    Where each answer is wrong with chance e, and two seldom alike, the agreement is about (1 − e)²: an agreement of
    81 % speaks of one label in ten being wrong.
    """
    if len(first) != len(second):
        raise ValueError(f"need two answers per image, got {len(first)} and {len(second)}")
    hits: dict[int | None, list[bool]] = defaultdict(list)
    for a, b in zip(first, second, strict=True):
        hits[None].append(a == b)
        hits[a].append(a == b)
    return {key: share_alike(sum(values), len(values)) for key, values in hits.items()}


def class_agreement(answers: Sequence[Answer]) -> dict[int, Agreement]:
    """Of the images that several annotators answered, by the class most gave: on how many all were of one mind.

    Where two classes got equally many answers the image counts under both.
    """
    hits: dict[int, list[bool]] = defaultdict(list)
    for given in by_image(answers).values():
        if len(given) < 2:
            continue
        votes = Counter(given.values())
        for class_id, count in votes.items():
            if count == max(votes.values()):
                hits[class_id].append(len(votes) == 1)
    return {class_id: share_alike(sum(values), len(values)) for class_id, values in sorted(hits.items())}


def odd_annotators(answers: Sequence[Answer], level: float = ODD) -> list[OddAnnotator]:
    """Annotators who, on one class, differ from the majority significantly more often than the others do.

    Each answer is compared with the majority of the other answers to its image and, where these are tied, of all of
    them: of three people two are right where the third is always wrong, and only so it is seen that they are. Without
    a majority (a single answer, a tie of all) it says nothing. Two annotators alone differ equally from each other,
    so it takes three to name one.
    """
    # scipy.stats takes a second to load
    from scipy.stats import fisher_exact

    counts: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])  # differs, compared
    for given in by_image(answers).values():
        for annotator, class_id in given.items():
            others = [value for other, value in given.items() if other != annotator]
            said = _majority(others)
            if said is None and others:
                said = _majority([*others, class_id])
            if said is not None:
                counts[annotator, said][0] += class_id != said
                counts[annotator, said][1] += 1
    tested = []
    for (annotator, class_id), (differs, n) in sorted(counts.items()):
        rest = [value for (who, what), value in counts.items() if what == class_id and who != annotator]
        others_differ, others_n = (sum(each[i] for each in rest) for i in (0, 1))
        if others_n:
            table = np.array([[differs, n - differs], [others_differ, others_n - others_differ]])
            p = float(fisher_exact(table, alternative="greater").pvalue)
            tested.append((p, OddAnnotator(annotator, class_id, differs, n, others_differ, others_n, p)))
    found, corrected = [], 0.0
    for rank, (p, each) in enumerate(sorted(tested, key=lambda item: item[0])):
        corrected = max(corrected, min(1.0, p * (len(tested) - rank)))
        if corrected <= level:
            found.append(OddAnnotator(**{**each.__dict__, "p_value": corrected}))
    return found


def _majority(classes: Sequence[int]) -> int | None:
    """The class named most often, None where there is none or several are."""
    votes = Counter(classes).most_common(2)
    return votes[0][0] if len(votes) == 1 or (votes and votes[0][1] > votes[1][1]) else None


def by_image(answers: Iterable[Answer]) -> dict[int, dict[str, int]]:
    """For each image what each annotator said, their last answer where there are several."""
    images: dict[int, dict[str, int]] = defaultdict(dict)
    for annotator, image, class_id in answers:
        images[image][annotator] = class_id
    return images


def share_alike(same: int, n: int) -> Agreement:
    """`same` of `n` with its interval."""
    return Agreement(same, n, *accuracy_interval(same, n))
