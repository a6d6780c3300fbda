"""One replicate of the labeling loop on vectors: the audit drawn, one label in five from it, all truths kept.

What `Session` does, without a store: the same draw, strategies, adapters, cross-fitted control and advice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probal.acquisition import AcquisitionState, propose, uncertainty
from probal.adapters import Adapter, BayesAdapter, load_adapter
from probal.adapters.base import AdapterPosterior
from probal.evaluation import audit_size, certify, draw_audit, stopping_advice
from probal.evaluation.neighbourhood import nearest, with_neighbours
from probal.gaussian import GaussianEmbedding
from probal.random import derive_seed, torch_generator
from probal.session.measure import FOLDS, cross_fitted_hits
from probal.session.space import unit_rows

PRECISIONS = (0.9, 0.95, 0.98)
AUDIT_EVERY = 5
FIXED = "bayes-fixed"
"""BayesAdapter with its hyperparameters held: a third of the time, and what is promised of the audit is promised of
any model."""
_NOISE = {"synthetic": (0.8, 1.6), "easy": (0.5, 0.8)}
"""Deviations of clear and of blurred images about their class."""


@dataclass(frozen=True)
class World:
    """Labeled vectors from which each replicate draws a pool; the rest are fresh images."""

    x: np.ndarray  # [N,D] unit rows
    y: np.ndarray  # [N]
    prototypes: np.ndarray  # [C,D]
    scale: float


@dataclass(frozen=True)
class Setting:
    world: str
    strategy: str
    pool: int
    audit: float
    budget: int
    """Labels, audit included."""
    batch: int
    adapter: str = "bayes"
    """An adapter's id, or FIXED."""

    @property
    def name(self) -> str:
        return f"{self.world}-{self.strategy}-{self.pool}-audit{self.audit:g}-{self.adapter}"

    def make_adapter(self, scale: float) -> Adapter:
        if self.adapter == FIXED:
            return BayesAdapter(scale, fit_scale=False, amplitude=128.0, temperature=1e-3, sharpness=1.0)
        return load_adapter(self.adapter, scale)


def world(name: str, data: Path | None) -> World:
    """`digits` (no prior), `synthetic` and `easy` (a weak prior), or the .npz of CLIP features in `data`."""
    if name == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        x = unit_rows(digits.data, digits.data.mean(0).astype(np.float32))
        return World(x, digits.target, np.zeros((10, x.shape[1]), np.float32), 15.0)
    if name in _NOISE:
        rng = np.random.default_rng(1)
        centres, y = rng.normal(size=(5, 16)), rng.integers(0, 5, 20_000)
        x = centres[y] + rng.normal(size=(len(y), 16)) * rng.choice(_NOISE[name], (len(y), 1))
        return World(unit_rows(x), y, unit_rows(centres + rng.normal(size=centres.shape)), 15.0)
    if data is None:
        raise SystemExit(f"{name} needs --data DIR")
    with np.load(data / "clip_features" / f"{name}.npz") as file:
        keys = [key[:-2] for key in file.files if key.endswith("_x") and key != "text_x"]
        x = np.concatenate([file[f"{key}_x"] for key in keys])
        y = np.concatenate([file[f"{key}_y"] for key in keys])
        return World(unit_rows(x), y.astype(np.int64), unit_rows(file["text_x"]), 100.0)


def replicate(of: World, setting: Setting, seed: int) -> dict[str, Any]:
    """Everything that the promises are checked with, as JSON-able counts and shares."""
    torch.set_num_threads(1)
    order = np.random.default_rng(derive_seed("pool", seed)).permutation(len(of.y))
    inside, outside = order[: setting.pool], order[setting.pool :][:5000]
    x, y = torch.tensor(of.x[inside]), torch.tensor(of.y[inside])
    fresh_x, fresh_y = torch.tensor(of.x[outside]), torch.tensor(of.y[outside])
    prior = GaussianEmbedding(torch.tensor(of.prototypes))
    adapter = setting.make_adapter(of.scale)
    drawn = draw_audit(map(str, range(setting.pool)), audit_size(setting.pool, setting.audit), seed)
    audit = torch.tensor([int(name) for name in drawn])
    is_pool = torch.ones(setting.pool, dtype=torch.bool)
    is_pool[audit] = False
    pool = torch.nonzero(is_pool)[:, 0]
    labeled = torch.empty(0, dtype=torch.int64)  # rows of the pool
    nobody = torch.empty(0, dtype=torch.int64)
    seen, looks, calls, advised = 0, [], [], []
    start: Mapping[str, Tensor] | None = None
    while True:
        posterior = adapter.fit(x[pool[labeled]], y[pool[labeled]], prior, start)
        start = posterior.tensors()
        logits = posterior.logits(x)
        state = AcquisitionState(
            x[pool], logits.rows(pool), labeled, y[pool[labeled]], nobody, posterior.joint
        )
        # every image sees the same nodes, so the parts are what all together would be
        probs = torch.empty_like(logits.mean)
        probs[pool] = state.uncertainty.predictive
        probs[audit] = uncertainty(logits.rows(audit)).predictive
        called = probs.argmax(1)
        hit = called == y
        rest = torch.ones(setting.pool, dtype=torch.bool)
        rest[pool[labeled]] = False
        calls.append(called)
        looks.append(
            {
                "labels": len(labeled) + seen,
                "train": len(labeled),
                "audit": seen,
                "hits": "".join("01"[int(h)] for h in hit[audit]),
                "pool_accuracy": float(hit.double().mean()),
                "unlabeled_accuracy": float(hit[rest].double().mean()),
                "unlabeled": int(rest.sum()),
                "fresh_accuracy": _accuracy(posterior, fresh_x, fresh_y),
            }
        )
        if seen:
            advised.append(_advice(looks, calls, rest, seed))
        room = setting.budget - len(labeled) - seen
        if room <= 0:
            break
        # one in five from the audit until it is used up
        new_audit = min(len(audit) - seen, round(min(setting.batch, room) / AUDIT_EVERY))
        wanted = min(setting.batch, room) - new_audit
        picks = propose(
            setting.strategy, state, wanted, torch_generator(seed, setting.strategy, len(labeled))
        )
        labeled = torch.cat([labeled, torch.tensor([pick.row for pick in picks], dtype=torch.int64)])
        seen += new_audit
    mixed = with_neighbours(probs.numpy(), nearest(x.numpy()))  # as a finish does
    wrong = torch.from_numpy(mixed.argmax(1)) != y
    return {
        "seed": seed,
        "looks": looks,
        "advice": advised,
        "control": _control(x, y, audit[:seen], adapter, prior, (fresh_x, fresh_y), seed),
        "finish": [_finish(mixed.max(1), ~wrong, rest, audit[:seen], each) for each in PRECISIONS],
    }


def _accuracy(posterior: AdapterPosterior, x: Tensor, y: Tensor) -> float:
    """By the logits' means."""
    tensors = posterior.tensors()
    # of a Gaussian over weights without the variances, which nobody asks for here
    linear = "bias" in tensors
    mean = x @ tensors["weights"].T + tensors["bias"] if linear else posterior.logits(x).mean
    return float((mean.argmax(1) == y).double().mean())


def _advice(
    looks: Sequence[dict[str, Any]], calls: Sequence[Tensor], rest: Tensor, seed: int
) -> dict[str, Any]:
    n = looks[-1]["audit"]
    hits = np.array([[c == "1" for c in each["hits"][:n]] for each in looks])
    agreement = None if len(calls) < 2 else float((calls[-1] == calls[-2])[rest].double().mean())
    advice = stopping_advice(
        hits,
        [each["train"] for each in looks],
        np.random.default_rng(seed),
        agreement,
        round_index=len(looks) - 1,
    )
    kept = advice.to_dict()
    return {key: kept[key] for key in ("verdict", "projected", "low", "high", "agreement")} | {
        "look": len(looks) - 1
    }


def _control(
    x: Tensor,
    y: Tensor,
    audit: Tensor,
    adapter: Adapter,
    prior: GaussianEmbedding,
    fresh: tuple[Tensor, Tensor],
    seed: int,
) -> dict[str, float]:
    """The cross-fitted control beside a truly random sample of as many labels, measured on fresh images."""
    m = len(audit)
    order = torch.tensor(np.random.default_rng(derive_seed("control", seed)).permutation(len(y)))
    rows = order[: m - m // FOLDS]
    hits = cross_fitted_hits(x[audit], y[audit], adapter, prior)
    return {
        "labels": len(rows),
        "control": float(hits.double().mean()),
        "random": _accuracy(adapter.fit(x[rows], y[rows], prior), *fresh),
    }


def _finish(
    confidence: np.ndarray, hit: Tensor, rest: Tensor, audit: Tensor, precision: float
) -> dict[str, Any]:
    right, left = hit.numpy(), rest.numpy().copy()
    left[audit.numpy()] = False
    labeled = len(right) - int(left.sum()) - len(audit)
    found = certify(confidence[left], confidence[audit], ~right[audit], precision, labeled=labeled)
    kept = left & (confidence >= (np.inf if found.threshold is None else found.threshold))
    wrong = int((~right[kept]).sum())
    return {
        "precision": precision,
        "left": int(left.sum()),
        "kept": int(kept.sum()),
        "wrong": wrong,
        "most_wrong": found.most_wrong,
    }
