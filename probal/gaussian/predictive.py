"""Integrals of the softmax over Gaussian logits: in closed form, and by quasi-Monte Carlo.

Shapes use the glossary of `probal.types`. Both forget the common mode of a factor first: adding one number to
all logits of an image does not change its softmax, and that is where most of an image's noise lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from probal.threads import single_thread

BLOCK_ELEMENTS = 1 << 16
"""Numbers in one working block (256 KiB of float32): stays in the cache and bounds the memory."""

SCRAMBLE_SEED = 20241209
"""Seed of the Sobol scrambling where no generator is handed in: scores are then repeatable."""


def class_covariance(factor: Tensor) -> Tensor:
    """`factor factorᵀ`, [C, R] -> [C, C]."""
    return factor @ factor.mT


def contrast_factor(factor: Tensor) -> Tensor:
    """A factor that gives the same softmax, [C, R] -> [C, min(R, C)].

    Columns are centred over the classes, which removes the common mode; if R ≥ C the factor is replaced by
    the symmetric root `U √λ Uᵀ` of its centred [C, C] covariance (in float64). That root is unique: signs and
    rotations of eigenvectors, which differ between machines, do not reach the scores.
    """
    centred = factor.double() - factor.double().mean(0)
    if factor.shape[1] >= factor.shape[0]:
        values, vectors = torch.linalg.eigh(class_covariance(centred))
        centred = (vectors * values.clamp_min(0).sqrt()) @ vectors.mT
    return centred.to(factor.dtype)


def probit_predictive(mean: Tensor, var: Tensor, gain: Tensor | None, factor: Tensor | None) -> Tensor:
    """One-against-the-rest probit approximation of `E softmax(z)`, [N, C] -> [N, C].

    `softmax_c(z) = σ(z_c − r_c)` with `r_c = log Σ_{c'≠c} exp z_c'`. Let q be the softmax of the means over
    the other classes. To second order around the means, with Σ the covariance of image i,

        E r_c ≈ log Σ_{c'≠c} exp m_c' + h,     h = ½ (Σ_c' q_c' Σ_c'c' − qᵀ Σ q)
        Var(z_c − r_c) ≈ Var(z_c − qᵀz) = Σ_cc − 2 (Σq)_c + qᵀ Σ q
        p_c ∝ σ( (m_c − E r_c) / √(1 + π/8 · Var(z_c − r_c)) )            (MacKay 1992)

    Both terms are contrasts, in which a noise common to all classes cancels exactly. h grows with the
    variance where the truth grows only with its root, so h is damped to `h / √(1 + π/4 · h)`, exact slope for
    large variances of two equal rivals. For C = 2 it is MacKay's formula for the difference of the logits.
    Cost N·C² in one matrix product; nothing of shape [N, C, C] is made.
    """
    c = mean.shape[1]
    if c == 1:
        return torch.ones_like(mean)
    if gain is not None and factor is not None:
        cov = class_covariance(contrast_factor(factor))  # [C, C]
    else:
        gain, cov = torch.zeros_like(mean[:, 0]), torch.zeros(c, c, dtype=mean.dtype, device=mean.device)
    out = torch.empty_like(mean)
    with single_thread():
        for rows in _blocks(len(mean), c):
            out[rows] = _probit_block(mean[rows], var[rows], gain[rows], cov)
    return out


def _probit_block(mean: Tensor, var: Tensor, gain: Tensor, cov: Tensor) -> Tensor:
    """`probit_predictive` on a block: means and variances [n, C], gains [n], centred cov [C, C] -> [n, C]."""
    gain = gain[:, None]  # [n, 1]
    diagonal = cov.diagonal()  # [C]
    marginal = var + gain * diagonal  # [n, C]
    p = torch.softmax(mean, 1)  # [n, C]
    top = p.argmax(1, keepdim=True)  # [n, 1]

    # without class c the weights are q = p / (1 − p_c), so every sum over rivals is a total less one term
    left = (1 - p).scatter(1, top, 1.0)  # [n, C]
    p_cov = p @ cov  # [n, C]
    log_rivals = torch.logsumexp(mean, 1, keepdim=True) + torch.log(left)
    rival_var = ((p * marginal).sum(1, keepdim=True) - p * marginal) / left
    rival_own = ((p.square() * var).sum(1, keepdim=True) - p.square() * var) / left.square()
    rival_cov = ((p_cov * p).sum(1, keepdim=True) - 2 * p * p_cov + p.square() * diagonal) / left.square()
    cross = (p_cov - p * diagonal) / left

    # the top class's 1 − p_c cancels in floating point: its rivals get a softmax of their own
    rivals = mean.scatter(1, top, -math.inf)
    q = torch.softmax(rivals, 1)  # [n, C], zero at top
    q_cov = q @ cov
    log_rivals = log_rivals.scatter(1, top, torch.logsumexp(rivals, 1, keepdim=True))
    rival_var = rival_var.scatter(1, top, (q * marginal).sum(1, keepdim=True))
    rival_own = rival_own.scatter(1, top, (q.square() * var).sum(1, keepdim=True))
    rival_cov = rival_cov.scatter(1, top, (q_cov * q).sum(1, keepdim=True))
    cross = cross.scatter(1, top, q_cov.gather(1, top))

    quad = rival_own.clamp_min(0) + gain * rival_cov.clamp_min(0)  # qᵀ Σ q
    h = (0.5 * (rival_var - quad)).clamp_min(0)
    spread = (marginal - 2 * gain * cross + quad).clamp_min(0)  # Var(z_c − qᵀz)
    against = mean - log_rivals - h / (1 + math.pi / 4 * h).sqrt()
    return torch.softmax(torch.nn.functional.logsigmoid(against / (1 + math.pi / 8 * spread).sqrt()), 1)


def normal_nodes(n_samples: int, dim: int, generator: torch.Generator | None = None) -> Tensor:
    """Scrambled Sobol points through the normal quantile, [K, dim] in float64.

    The scrambling seed is drawn from `generator`, or is the same on every call where there is none. Raises
    ValueError for fewer than one sample.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}")
    seed = SCRAMBLE_SEED
    if generator is not None:
        seed = int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))
    uniform = SobolEngine(dim, scramble=True, seed=seed).draw(n_samples, dtype=torch.float64)
    tiny = 2.0**-31  # half of Sobol's 30-bit grid: keeps the quantile finite
    return torch.special.ndtri(uniform.clamp(tiny, 1 - tiny))


def qmc_moments(
    mean: Tensor,
    var: Tensor,
    gain: Tensor | None,
    factor: Tensor | None,
    n_samples: int,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """`E softmax(z)` [N, C] and `E H(softmax(z))` [N] in nats, over the same quasi-random nodes.

    The first coordinates, the most even ones, carry the shared factor. All images see the same nodes, so that
    scores are comparable between images. Memory is one block of images, whatever N and K. A NaN in the
    moments comes out as NaN.
    """
    c = mean.shape[1]
    predictive, expected_entropy = torch.empty_like(mean), torch.empty_like(mean[:, 0])
    shared = None if gain is None or factor is None else contrast_factor(factor)  # [C, R']
    rank = 0 if shared is None else shared.shape[1]
    nodes = normal_nodes(n_samples, rank + c, generator).to(mean)  # [K, R' + C]
    own = nodes[:, rank:].mT.contiguous()  # [C, K]
    common = None if shared is None else shared @ nodes[:, :rank].mT  # [C, K]
    with single_thread():
        for rows in _blocks(len(mean), c):
            m, sd = (each.mT.contiguous()[:, None] for each in (mean[rows], var[rows].sqrt()))  # [C, 1, n]
            root = None if gain is None else gain[rows].sqrt()  # [n]
            at_once = _nodes_at_once(
                n_samples, m.numel()
            )  # k: calls cost more than numbers where images are few
            p_sum = torch.zeros(c, at_once, m.shape[2], dtype=m.dtype)
            entropy_sum = torch.zeros_like(
                p_sum[0], dtype=torch.float64
            )  # [k, n]: BALD is a small difference of it
            z, p = torch.empty_like(p_sum), torch.empty_like(p_sum)
            for start in range(0, n_samples, at_once):
                k = slice(start, start + at_once)
                torch.addcmul(m, sd, own[:, k, None], out=z)
                if common is not None and root is not None:
                    z.addcmul_(common[:, k, None], root)
                z -= z.amax(0)  # the largest is 0, so the sum of exponentials is in [1, C]
                torch.exp(z, out=p)
                norm = p.sum(0)  # [k, n]
                p /= norm
                p_sum += p
                # H = log Σ exp z − Σ p z, where p z = 0 at p = 0 because z is finite
                entropy_sum += norm.log_() - z.mul_(p).sum(0)
            predictive[rows] = (p_sum.sum(1) / n_samples).mT
            expected_entropy[rows] = entropy_sum.sum(0) / n_samples
    return predictive, expected_entropy


def _nodes_at_once(n_samples: int, elements: int) -> int:
    """A divisor of K, as many as fit into a block of `elements` each."""
    k = max(1, min(n_samples, BLOCK_ELEMENTS // max(1, elements)))
    while n_samples % k:
        k -= 1
    return k


def _blocks(n: int, row_elements: int) -> Iterator[slice]:
    step = max(1, BLOCK_ELEMENTS // max(1, row_elements))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))
