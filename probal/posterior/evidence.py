"""Prior precision by the Laplace evidence, for both ways of damping.

With a zero-mean prior `W ~ N(0, λ⁻¹ I)` over `M = P·D` weights, and dropping what does not depend on λ,

    log Z(λ) = ½ M log λ − ½ λ ‖W‖² − ½ logdet(precision(λ))

(BayesVLM, arXiv 2412.06014; the factored log-determinant is `D·logdet Ã + P·logdet B̃`). Its maximum is
MacKay's fixed point `λ ‖W‖² = γ(λ)` with the effective number of weights

    exact:     γ = Σ_pd τα_pβ_d / (τα_pβ_d + λ)
    factored:  γ = ½ D Σ_p √τα_p / (√τα_p + √λ) + ½ P Σ_d √τβ_d / (√τβ_d + √λ)

The left side rises from 0 and the right side falls from at most M: there is exactly one root.
"""

from __future__ import annotations

import math

import torch

from probal.posterior.kron import Damping, KroneckerPrecision

TOLERANCE = 1e-10
"""Relative step of λ at which the search stops."""


def log_evidence(precision: KroneckerPrecision, square_norm: float) -> float:
    """`log Z(λ)` of the module, nats, for weights of squared norm `square_norm`."""
    weights = precision.eigenvalues.numel()
    lam = precision.prior_precision
    return 0.5 * (weights * math.log(lam) - lam * square_norm - precision.logdet())


def effective_weights(precision: KroneckerPrecision) -> float:
    """`γ(λ)` of the module: how many weights the data determine, between 0 and P·D."""
    lam = precision.prior_precision
    if precision.damping is Damping.EXACT:
        # not M − λ Σ 1/e: that difference cancels where the data say little
        curvature = precision.tau * torch.outer(precision.alpha, precision.beta)  # [P, D]
        return float((curvature / precision.eigenvalues).sum())
    shift = math.sqrt(lam)
    alpha, beta = (math.sqrt(precision.tau) * t for t in (precision.alpha, precision.beta))
    half = 0.5 * len(beta) * (alpha / (alpha + shift)).sum()
    return float(half + 0.5 * len(alpha) * (beta / (beta + shift)).sum())


def fit_prior_precision(precision: KroneckerPrecision, square_norm: float) -> KroneckerPrecision:
    """The same factors at the λ that maximizes the evidence; the λ handed in is where the search starts.

    Solves `h(u) = u + log ‖W‖² − log γ(eᵘ) = 0` in `u = log λ`. Each term of γ falls no faster than 1/λ, so h
    has a slope between 1 and 2 everywhere, and steps of `−h / 1.5` shrink the error by 3 or more each, from any
    start. Raises ValueError for weights or curvature that are all zero: the evidence then has no maximum.
    """
    if not (math.isfinite(square_norm) and square_norm > 0):
        raise ValueError(f"the weights have squared norm {square_norm}: no prior precision fits them best")
    if float(precision.alpha[-1]) <= 0 or float(precision.beta[-1]) <= 0:
        raise ValueError("the curvature is zero: the evidence says nothing about the prior precision")
    log_lam = math.log(precision.prior_precision)
    step = math.inf
    while abs(step) > TOLERANCE:
        step = (math.log(effective_weights(precision)) - log_lam - math.log(square_norm)) / 1.5
        log_lam += step
        precision = precision.with_prior(math.exp(log_lam))
    return precision
