"""How far people who label the same images agree, beyond what chance would give them.

`percent` is the share of equal answers. Cohen's kappa (1960) takes off what two people with their own habits would
agree on by chance, Krippendorff's alpha (2004, nominal) does the same for any number of people and with answers
missing: 1 is full agreement, 0 what chance gives. Both are undefined, None here, where only one class was answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from probal.evaluation.mistakes import Agreement, Answer, by_image, share_alike

FEW = 20
"""Images below which a coefficient says little; pages say so."""


@dataclass(frozen=True)
class PairAgreement:
    """Two people on the images that both answered."""

    first: str
    second: str
    percent: Agreement
    kappa: float | None


def pairs(answers: Sequence[Answer]) -> list[PairAgreement]:
    """Every pair of people with an image in common, those with most first."""
    common: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for given in by_image(answers).values():
        for first, second in combinations(sorted(given), 2):
            common[first, second].append((given[first], given[second]))
    found = [
        PairAgreement(first, second, share_alike(sum(a == b for a, b in both), len(both)), cohens_kappa(both))
        for (first, second), both in common.items()
    ]
    return sorted(found, key=lambda each: (-each.percent.n, each.first, each.second))


def cohens_kappa(both: Sequence[tuple[int, int]]) -> float | None:
    """Kappa of the pairs of answers; None where both people only ever gave one and the same class."""
    if len({class_id for pair in both for class_id in pair}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score  # loads for a second

    first, second = zip(*both, strict=True)
    return float(cohen_kappa_score(first, second))


def krippendorffs_alpha(answers: Sequence[Answer]) -> float | None:
    """Alpha over all people; None where no image has two answers, or only one class was given to those that have."""
    units = [given for given in by_image(answers).values() if len(given) > 1]
    classes = sorted({class_id for given in units for class_id in given.values()})
    if len(classes) < 2:
        return None
    import krippendorff

    position = {class_id: i for i, class_id in enumerate(classes)}
    counts = np.zeros((len(units), len(classes)), np.int64)
    for row, given in enumerate(units):
        for class_id in given.values():
            counts[row, position[class_id]] += 1
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def alpha_by(answers: Sequence[Answer], group: Mapping[int, int]) -> dict[int, tuple[float | None, int]]:
    """Alpha and the number of images with two answers in each group of images, such as a round."""
    parts: dict[int, list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer[1] in group:
            parts[group[answer[1]]].append(answer)
    return {
        key: (krippendorffs_alpha(part), sum(len(given) > 1 for given in by_image(part).values()))
        for key, part in sorted(parts.items())
    }


def disagreements(answers: Iterable[Answer]) -> dict[int, dict[str, int]]:
    """Images on which people differ, with what each said."""
    return {image: given for image, given in by_image(answers).items() if len(set(given.values())) > 1}
