"""BatchBALD: the batch whose labels together tell the most about the model.

    gain(y | y_1..b) = I(y; θ | y_1..b) = Σ_m ρ_m [ H(Σ_k w_mk p_k) − Σ_k w_mk H(p_k) ]

(Kirsch et al. 2019, arXiv 1906.08158, eq. 8 and algorithm 1, written as the BALD of each candidate under the
model as it would be after the batch's labels.) m runs over the label configurations of the images already in
the batch, ρ_m is their probability and w_m the posterior over the K draws of θ given them. All C^b configurations
while there are few, else as many drawn from the model. Either way every term is a mutual information, so the
gain lies between 0 and log C, and with an empty batch it is BALD itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probal.acquisition.base import AcquisitionState, Choice
from probal.acquisition.scores import bounded
from probal.gaussian.predictive import single_thread

N_SAMPLES = 128
"""Draws of θ: a batch can tell at most log K nats about them, 4.9 here."""
MAX_CONFIGURATIONS = 512
_SHORTLIST = 1000
_PENDING = 50
_BLOCK = 32


def configurations(probs: Tensor, limit: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Weights w [M,K] of the draws after each label configuration of b images [b,K,C], and ρ [M].

    All C^b configurations if they are at most `limit`, else `limit` draws from their distribution.
    """
    b, k, c = probs.shape
    log_p = probs.double().clamp(min=1e-300).log()  # a product over b images must not underflow to 0/0
    if c**b <= limit:
        joint = torch.zeros(1, k, dtype=log_p.dtype)  # [1,K]
        for each in log_p:
            joint = (joint[:, None] + each.mT).reshape(-1, k)  # [M·C,K]
        return joint.softmax(1), joint.exp().mean(1)
    source = torch.randint(k, (limit,), generator=generator)  # whose labels each configuration has
    joint = torch.zeros(limit, k, dtype=log_p.dtype)
    for each, logs in zip(probs, log_p, strict=True):
        labels = torch.multinomial(each[source].double(), 1, generator=generator).squeeze(1)  # [M]
        joint += logs.mT[labels]
    return joint.softmax(1), torch.full((limit,), 1 / limit, dtype=log_p.dtype)


def conditional_bald(probs: Tensor, weights: Tensor, rho: Tensor) -> Tensor:
    """I(y; θ | labels of the batch) of candidates [m,K,C] under `configurations`, nats, [m] float64."""
    p = probs.double()
    k, c = p.shape[1:]
    total = torch.empty(len(p), dtype=p.dtype)
    with single_thread():
        for start in range(0, len(p), _BLOCK):
            block = p[start : start + _BLOCK]  # [m,K,C]
            mixed = weights @ block.permute(1, 0, 2).reshape(k, -1)  # [M,m·C]
            entropy = torch.special.entr(mixed).reshape(len(rho), -1, c).sum(2)  # [M,m]
            total[start : start + _BLOCK] = rho @ entropy
    aleatoric = torch.special.entr(p).sum(2) @ (rho @ weights)  # [m]
    return bounded(total - aleatoric, math.log(c), 1e-12 * (k + c), "information gain of")


def greedy(
    probs: Tensor,
    batch: int,
    generator: torch.Generator,
    given: Tensor | None = None,
    limit: int = MAX_CONFIGURATIONS,
) -> list[tuple[int, float]]:
    """(position, gain) of `batch` of the candidates [m,K,C], each the best after those before and `given` [b,K,C].

    Gains only fall as the batch grows (submodularity), so a candidate whose last gain is below the best of this
    turn is not measured again. With all configurations enumerated that is the result of measuring all of them;
    with drawn ones it is so up to the noise of the draw.
    """
    chosen = probs[:0] if given is None else given
    bound = torch.full((len(probs),), torch.inf, dtype=torch.float64)
    picks: list[tuple[int, float]] = []
    for _ in range(min(batch, len(probs))):
        weights, rho = configurations(chosen, limit, generator)
        order = bound.argsort(descending=True, stable=True)
        best, gain = -1, -1.0
        for start in range(0, len(order), _BLOCK):
            rows = order[start : start + _BLOCK]
            rows = rows[bound[rows] > gain]
            if len(rows) == 0:
                break
            bound[rows] = conditional_bald(probs[rows], weights, rho)
            at = int(bound[rows].argmax())
            if float(bound[rows[at]]) > gain:
                best, gain = int(rows[at]), float(bound[rows[at]])
        picks.append((best, gain))
        bound[best] = -torch.inf  # taken
        chosen = torch.cat([chosen, probs[best : best + 1]])
    return picks


def batchbald(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """Greedy BatchBALD among the 1,000 of the highest BALD, given the latest 50 pending images."""
    room = max(_SHORTLIST, batch)
    bald = state.uncertainty.epistemic[state.candidates]
    rows = state.candidates[bald.argsort(descending=True, stable=True)[:room]]
    pending = state.pending[-_PENDING:]
    probs = state.joint_probs(torch.cat([rows, pending]), N_SAMPLES, generator)
    if not bool(torch.isfinite(probs).all()):
        raise FloatingPointError("joint draws of the logits are not finite")
    picks = greedy(probs[: len(rows)], batch, generator, probs[len(rows) :])
    return [Choice(int(rows[at]), gain, "information") for at, gain in picks]
