"""Expected predictive information gain: what a label would tell about the predictions that matter.

    EPIG(x) = E_{x*} I(y; y* | x, x*) = E_{x*} [ H(y) + H(y*) − H(y, y*) ],   p(y, y*) = mean_k p_k(y) p_k(y*)

(Bickford Smith et al. 2023, arXiv 2304.08151, eq. 5). Draw k of pool and target must be one θ_k: with draws of
each image for itself the joint is the product of its margins, and all that is left is Monte Carlo noise, which
falls as 1/K. Shapes: Np pool and Nt target images, K samples, C classes. All sums in float64: the gain is a
small difference of entropies, which half precision loses entirely.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probal.acquisition.base import AcquisitionState, Choice, Target
from probal.acquisition.scores import bounded
from probal.gaussian.predictive import single_thread

N_SAMPLES = 128
N_TARGETS = 100
_BLOCK_ELEMENTS = 1 << 20
_OPERATIONS = 5e10
"""Multiplications a proposal may take, some 5 s on one core: bounds the candidates looked at closely."""
_ELEMENTS = 1 << 24
"""Probabilities drawn at once, 128 MiB in float64: bounds them too."""


def epig(pool_probs: Tensor, target_probs: Tensor) -> Tensor:
    """Mean mutual information of each pool label with the targets', nats: [Np,K,C], [Nt,K,C] -> [Np].

    Costs Np·Nt·K·C² and the memory of one block. Raises ValueError for shapes that do not fit or rows that are
    no probabilities, FloatingPointError where a score is not finite or breaks 0 ≤ EPIG ≤ log C by more than
    rounding.
    """
    pool, target = _checked(pool_probs, target_probs)
    n, k, c = pool.shape
    t = len(target)
    own = torch.special.entr(pool.mean(1)).sum(1)  # [Np]
    theirs = torch.special.entr(target.mean(1)).sum(1).mean()
    # blocks of targets too: one image against 10,000 targets of 1,000 classes must not be one matrix
    wide = max(1, min(t, _BLOCK_ELEMENTS // (c * c)))
    tall = max(1, _BLOCK_ELEMENTS // (wide * c * c))
    joint = torch.zeros_like(own)  # Σ over targets of H(y, y*)
    with single_thread():
        for block in target.split(wide):
            columns = block.permute(1, 0, 2).reshape(k, -1) / k  # [K, t·C]
            for start in range(0, n, tall):
                rows = pool[start : start + tall].mT.reshape(-1, k)  # [p·C, K]
                p = rows @ columns  # [p·C, t·C]
                joint[start : start + tall] += torch.special.entr(p).reshape(-1, c * p.shape[1]).sum(1)
    score = own + theirs - joint / t
    gain = bounded(score, math.log(c), 1e-13 * (k + c * c), "predictive information gain of")
    return gain.to(torch.promote_types(pool_probs.dtype, torch.float32))


def epig_shortlist(bald: Tensor, n_targets: int, n_samples: int, n_classes: int, batch: int) -> Tensor:
    """Positions worth a close look, highest BALD first: all, or as many as `_OPERATIONS` and `_ELEMENTS` allow.

    Label and target meet only through θ, so I(y; y*) ≤ I(y; θ): BALD bounds EPIG from above.
    """
    room = int(min(_OPERATIONS / (n_targets * n_classes), _ELEMENTS) / (n_samples * n_classes))
    return bald.argsort(descending=True, stable=True)[: max(4 * batch, room)]


def top_epig(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """The B largest expected predictive information gains about the target, or about the pool without one.

    Uses no label that is not in the state. The pool's sample and the target's come from one set of draws.
    """
    everywhere = (
        Target(state.embeddings, state.logits, state.inputs) if state.target is None else state.target
    )
    about = torch.randperm(len(everywhere.embeddings), generator=generator)[:N_TARGETS]
    doubt = state.uncertainty.epistemic[state.candidates]
    rows = state.candidates[epig_shortlist(doubt, len(about), N_SAMPLES, state.n_classes, batch)]
    probs = state.joint_probs(rows, N_SAMPLES, generator, everywhere.rows(about))
    scores = epig(probs[: len(rows)], probs[len(rows) :])
    picked = scores.topk(batch)
    chosen = rows[picked.indices].tolist()
    return [
        Choice(row, score, "information") for row, score in zip(chosen, picked.values.tolist(), strict=True)
    ]


def _checked(pool: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    if pool.dim() != 3 or target.dim() != 3 or pool.shape[1:] != target.shape[1:]:
        raise ValueError(
            f"pool and target must be [Np, K, C] and [Nt, K, C], got {tuple(pool.shape)} and {tuple(target.shape)}"
        )
    if not len(target) or not pool.shape[1]:
        raise ValueError("EPIG needs at least one target and one sample")
    for name, probs in (("pool", pool), ("target", target)):
        if not bool(torch.isfinite(probs).all()):
            raise FloatingPointError(f"probabilities of the {name} are not finite")
        off = (probs.double().sum(2) - 1).abs()
        if probs.numel() and (float(probs.min()) < 0 or float(off.max()) > 1e-3):
            raise ValueError(
                f"probabilities of the {name} must not be negative and sum to 1 over the classes"
            )
    pool, target = pool.double(), target.double()
    # float32 rows miss 1 by rounding, which the entropies' difference would show
    return pool / pool.sum(2, keepdim=True), target / target.sum(2, keepdim=True)
