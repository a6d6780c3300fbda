"""The points of the curve: how good each round's model is on images that no model was fitted on.

Shapes use the glossary of `probal.types`; m held-out images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from probal.adapters import Adapter
from probal.evaluation import PRELIMINARY_BELOW, accuracy_interval, ece, nll
from probal.gaussian import GaussianEmbedding
from probal.session.snapshot import read_held_out
from probal.types import Metric, Role, Round

FOLDS = 5
_CONTROL_MINIMUM = 20


@dataclass(frozen=True)
class HeldOut:
    """Labeled images that measure, drawn like the pool's images and never trained on.

    Their accuracy estimates that on new images of the same kind, without a finite-population correction: on the pool
    itself the model is better or worse, since strategies take the hard images or the easy ones out of it and train
    on them. Intervals corrected for the pool's size covered its accuracy in 80 % of replicates (docs/evaluation.md).
    """

    source: Role
    image_ids: np.ndarray  # [m]
    x: Tensor  # [m,D] unit rows
    y: Tensor  # [m]


def measure(
    rounds: Sequence[Round],
    snapshot: Callable[[int], Path],
    held_out: HeldOut,
    adapter: Adapter,
    prior: GaussianEmbedding,
) -> list[Metric]:
    """Accuracy with its 95 % interval, NLL and ECE of each round; audit rounds get the random control too.

    With a test set only the last round is new. `snapshot` names the file of a round's predictions.
    """
    todo = rounds[-1:] if held_out.source is Role.TEST else rounds
    metrics = [metric for each in todo for metric in _of_round(each, snapshot(each.index), held_out)]
    if held_out.source is Role.AUDIT and len(held_out.y) >= _CONTROL_MINIMUM:
        metrics.append(_random_control(rounds[-1], held_out, adapter, prior))
    return metrics


def _of_round(of: Round, path: Path, held_out: HeldOut) -> list[Metric]:
    saved = read_held_out(path)
    if saved is None:
        return []
    row = {image_id: i for i, image_id in enumerate(saved.image_ids.tolist())}
    known = [i for i, image_id in enumerate(held_out.image_ids.tolist()) if image_id in row]
    if not known:
        return []
    probs = saved.probabilities[[row[int(held_out.image_ids[i])] for i in known]]  # [m,C]
    y = held_out.y.numpy()[known]
    correct = int((probs.argmax(1) == y).sum())
    low, high = accuracy_interval(correct, len(y))
    detail = {"source": str(held_out.source)}

    def metric(name: str, value: float, low: float | None = None, high: float | None = None) -> Metric:
        return Metric(
            name, value, low, high, len(y), of.n_labels, of.index, len(y) < PRELIMINARY_BELOW, detail
        )

    return [
        metric("accuracy", correct / len(y), low, high),
        metric("nll", float(nll(probs, y))),
        metric("ece", float(ece(probs, y))),
    ]


def cross_fitted_hits(x: Tensor, y: Tensor, adapter: Adapter, prior: GaussianEmbedding) -> Tensor:
    """Whether each row of x [m,D] is called its class y [m] by an adapter fitted on the other folds, [m] bool."""
    fold = torch.arange(len(y)) % FOLDS  # labels come in random order already
    hits = torch.zeros(len(y), dtype=torch.bool)
    for k in range(FOLDS):
        train = fold != k
        posterior = adapter.fit(x[train], y[train], prior)
        hits[~train] = posterior.logits(x[~train]).mean.argmax(1) == y[~train]
    return hits


def _random_control(last: Round, held_out: HeldOut, adapter: Adapter, prior: GaussianEmbedding) -> Metric:
    """What as many labels drawn at random would have bought, by cross-fitting on the audit labels.

    The audit is a uniform sample: each fold is predicted by an adapter fitted on the others, and the point
    stands at the training folds' label count (design §6).
    """
    m = len(held_out.y)
    correct = int(cross_fitted_hits(held_out.x, held_out.y, adapter, prior).sum())
    low, high = accuracy_interval(correct, m)
    labels = m - m // FOLDS
    return Metric(
        "random_control_accuracy",
        correct / m,
        low,
        high,
        m,
        labels,
        last.index,
        m < PRELIMINARY_BELOW,
        {"source": "audit", "folds": FOLDS},
    )
