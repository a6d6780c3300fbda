"""One seed's task: what may be labeled, what measures, and what the oracle answers, under chosen conditions.

Everything here is drawn from the seed alone, so runs of one seed share it whatever the strategy and adapter, and
their differences are paired. Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from probal.errors import UserError
from probal.random import derive_seed
from probal.session.space import unit_rows
from probal.simulate.source import Source

NO_CLASS = -1
"""The oracle's answer for an image of no class: it is flagged."""
COPY_NOISE = 0.05
"""Length of what is added to a copy's unit vector: their cosine is then 0.999, as after saving a JPEG again."""


@dataclass(frozen=True)
class Conditions:
    """What makes the pool or the oracle worse than the source. The measuring images stay clean."""

    noise: float = 0.0
    """Chance that the oracle answers one of the other classes, uniformly; the same image, the same answer."""
    imbalance: float = 1.0
    """Long tail: the first class of a random order keeps all its images, the last a 1/imbalance of them."""
    duplicates: float = 0.0
    """Share of the pool that are near-copies of other images of it."""
    outliers: int = 0
    """Classes taken off the list whose images stay in the pool; the oracle flags them, at the cost of a label."""
    unknown_classes: int = 0
    """Classes that join the list, with their text, when the first of their images is labeled."""
    no_prior: bool = False
    """Forget the class texts."""

    def __post_init__(self) -> None:
        if not 0 <= self.noise < 1:
            raise UserError(f"noise is a share of wrong answers from 0 to below 1, got {self.noise}")
        if not self.imbalance >= 1:
            raise UserError(
                f"imbalance is the largest class over the smallest, at least 1, got {self.imbalance}"
            )
        if not 0 <= self.duplicates < 1:
            raise UserError(f"duplicates is a share of the pool from 0 to below 1, got {self.duplicates}")
        if self.outliers < 0 or self.unknown_classes < 0:
            raise UserError("outliers and unknown classes are numbers of classes, 0 or more")

    def check(self, source: Source) -> None:
        """UserError where the source has too few classes for them, or no text to forget."""
        left = len(source.classes) - self.outliers - self.unknown_classes
        if left < 2:
            raise UserError(
                f"{source.name} has {len(source.classes)} classes: with {self.outliers} as outliers and "
                f"{self.unknown_classes} unknown at the start, {max(left, 0)} are left and at least 2 are needed"
            )
        if self.no_prior and source.text_x is None:
            raise UserError(f"{source.name} has no class texts (text_x), so there is no prior to leave out")

    def as_dict(self) -> dict[str, Any]:
        """Those that differ from the default."""
        usual = asdict(Conditions())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


CLEAN = Conditions()


@dataclass(frozen=True)
class Task:
    """One seed's split as unit rows."""

    pool_x: np.ndarray  # [N,D]
    pool_y: np.ndarray  # [N] true classes, NO_CLASS for outliers
    answers: np.ndarray  # [N] what the oracle says
    eval_x: np.ndarray  # [Ne,D]
    eval_y: np.ndarray  # [Ne]
    prototypes: np.ndarray  # [C,D], zero without text
    known: np.ndarray  # [C] bool: on the list from the start
    scale: float


def split(source: Source, seed: int, conditions: Conditions = CLEAN) -> Task:
    """Two thirds to label from and one third to measure on, by seed, unless the source names its own.

    UserError where the conditions do not fit the source.
    """
    conditions.check(source)
    x, y, eval_x, eval_y = source.x, source.y, source.eval_x, source.eval_y
    if eval_x is None or eval_y is None:
        order = _rng("split", seed).permutation(len(y))
        cut = len(y) * 2 // 3
        (x, y), (eval_x, eval_y) = (x[order[:cut]], y[order[:cut]]), (x[order[cut:]], y[order[cut:]])
    rows = _long_tail(y, len(source.classes), conditions.imbalance, seed)
    x, y = _with_copies(x[rows].astype(np.float32), y[rows].astype(np.int64), conditions.duplicates, seed)
    centre = x.astype(np.float64).mean(0).astype(np.float32) if source.centred else None
    kept, renamed = _listed(len(source.classes), conditions.outliers, seed)
    y, eval_y = renamed[y], renamed[eval_y.astype(np.int64)]
    measured = eval_y != NO_CLASS
    prototypes = np.zeros((len(kept), x.shape[1]), np.float32)
    if source.text_x is not None and not conditions.no_prior:
        prototypes = unit_rows(source.text_x[kept])
    known = np.ones(len(kept), bool)
    known[_rng("unknown", seed).permutation(len(kept))[: conditions.unknown_classes]] = False
    return Task(
        pool_x=unit_rows(x, centre),
        pool_y=y,
        answers=_answers(y, len(kept), conditions.noise, seed),
        eval_x=unit_rows(eval_x[measured], centre),
        eval_y=eval_y[measured],
        prototypes=prototypes,
        known=known,
        scale=source.scale,
    )


def _rng(what: str, seed: int) -> np.random.Generator:
    return np.random.default_rng(derive_seed(what, seed))


def _long_tail(y: np.ndarray, classes: int, imbalance: float, seed: int) -> np.ndarray:
    """Rows that stay: class k of a random order keeps `imbalance^(−k/(C−1))` of its images, at least one."""
    if imbalance == 1:
        return np.arange(len(y))
    rng = _rng("imbalance", seed)
    shares = imbalance ** (-np.arange(classes) / (classes - 1))
    kept = []
    for share, c in zip(shares, rng.permutation(classes), strict=True):
        rows = rng.permutation(np.flatnonzero(y == c))
        kept.append(rows[: max(1, round(share * len(rows)))])
    return np.sort(np.concatenate(kept))


def _with_copies(x: np.ndarray, y: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The pool and, after it, so many near-copies of random images that they are `share` of the whole."""
    if share == 0:
        return x, y
    rng = _rng("duplicates", seed)
    rows = rng.integers(0, len(y), round(len(y) * share / (1 - share)))
    step = rng.normal(size=(len(rows), x.shape[1])).astype(np.float32)
    step *= (
        COPY_NOISE
        * np.linalg.norm(x[rows], axis=1, keepdims=True)
        / np.linalg.norm(step, axis=1, keepdims=True)
    )
    return np.concatenate([x, x[rows] + step]), np.concatenate([y, y[rows]])


def _listed(classes: int, outliers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes on the list [C], and each class's place there [classes], NO_CLASS for outliers."""
    kept = np.sort(_rng("outliers", seed).permutation(classes)[outliers:])
    renamed = np.full(classes, NO_CLASS)
    renamed[kept] = np.arange(len(kept))
    return kept, renamed


def _answers(y: np.ndarray, classes: int, noise: float, seed: int) -> np.ndarray:
    rng = _rng("noise", seed)
    wrong = (rng.random(len(y)) < noise) & (y != NO_CLASS)
    shift = rng.integers(1, classes, len(y))
    return np.where(wrong, (y + shift) % classes, y)
