"""Covariance of softmax regression at its mode, in the dual: blocks of the images that inform each class.

Rasmussen and Williams (2006), §3.5.1. With kernel K [n,n], class kernels K_c = g_c² K and D_c = diag(π_c)::

    E_c = (K_c + D_c⁻¹)⁻¹           M = Σ_c E_c
    Cov(f_c(x), f_c'(x')) = δ_cc' (K_c(x,x') − k_c E_c k_c'ᵀ) + k_c E_c M⁻¹ E_c' k_c'ᵀ          k_c = K_c(x, labels)

An image whose probability π of class c is settled says nothing about c. Each E_c is kept on the *active* images
that hold nine tenths of the class's curvature Σ π(1−π) (all of them on small problems), so many classes cost little
more than few, both here and for every image scored.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probal.adapters._softmax_gp import Mode

_ALL = 64
"""Up to so many labels every image is active in every class: the result is exact."""


@dataclass(frozen=True, eq=False)
class Dual:
    """Factors of the posterior covariance for labels with kernel K; index lists and blocks by class."""

    gains: Tensor  # [C]
    active: tuple[Tensor, ...]  # C × [a] labeled rows
    weight: tuple[Tensor, ...]  # C × [a] = D_c^½
    whitener: tuple[Tensor, ...]  # C × [a,a] = L⁻¹ of L Lᵀ = I + D_c^½ K_c D_c^½
    half: tuple[Tensor, ...]  # C × [a,a]: E_c − E_c M⁻¹ E_c = half halfᵀ, what the labels explain
    chol_m: Tensor  # [n,n]
    common: Tensor  # [n,n]: (Σ_cc' E_c M⁻¹ E_c' − Σ_c E_c M⁻¹ E_c) / (C (C − 1)), gains in it
    log_det: float
    """log det of the Hessian in whitened coordinates, classes' coupling included."""

    def root(self, c: int) -> Tensor:
        """[a,a] with E_c = root rootᵀ."""
        return self.weight[c].unsqueeze(1) * self.whitener[c].mT

    def explained(self, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """What the labels took of each logit's prior variance [N,C], and the mean covariance of two logits [N].

        kernel [N,n] = K(x, labels). Different classes are independent a priori: the covariance between them,
        averaged over pairs, is what the softmax couples all of them by.
        """
        taken = [
            gain**4 * (kernel[:, rows] @ half.to(kernel.dtype)).square().sum(1)
            for gain, rows, half in zip(self.gains.tolist(), self.active, self.half, strict=True)
        ]
        return torch.stack(taken, 1), ((kernel @ self.common.to(kernel.dtype)) * kernel).sum(1)


def active_images(weights: Tensor, mass: float = 0.9) -> Tensor:
    """Which images inform which class, [n,C] bool: the fewest that hold the share `mass` of the class's weight.

    weights [n,C] ≥ 0. Every image stays in its largest class, and up to 64 images all stay in all.
    """
    n, classes = weights.shape
    if n <= _ALL:
        return torch.ones(n, classes, dtype=torch.bool)
    values, order = weights.sort(dim=0, descending=True, stable=True)
    before = values.cumsum(0) - values
    keep = torch.zeros(n, classes, dtype=torch.bool).scatter_(0, order, before < mass * values.sum(0))
    keep[torch.arange(n), weights.argmax(1)] = True
    return keep


def factor(gram: Tensor, probs: Tensor, gains: Tensor) -> Dual:
    """Factor the covariance at the mode; gram K [n,n] amplitude included, probs [n,C], gains [C], all float64."""
    n, classes = probs.shape
    keep = active_images(probs * (1 - probs))
    active, weights, whiteners, roots, blocks, halves = [], [], [], [], [], []
    # the classes that an image is left out of stay where they are: together a class whose kernel is zero
    total = torch.diag((probs * ~keep).sum(1))  # M
    log_det = 0.0
    for c in range(classes):
        rows = keep[:, c].nonzero().squeeze(1)
        weight = probs[rows, c].sqrt()  # D_c^½
        inner = (gains[c] * weight).unsqueeze(1) * gram[rows.unsqueeze(1), rows] * (gains[c] * weight)
        inner.diagonal().add_(1)
        chol = torch.linalg.cholesky(inner)
        log_det += 2 * float(chol.diagonal().log().sum())
        whitener = torch.linalg.solve_triangular(chol, torch.eye(len(rows), dtype=gram.dtype), upper=False)
        root = weight.unsqueeze(1) * whitener.mT
        block = root @ root.mT  # E_c
        total[rows.unsqueeze(1), rows] += block
        active.append(rows)
        weights.append(weight)
        whiteners.append(whitener)
        roots.append(root)
        blocks.append(block)
    # images whose probabilities are saturated leave M singular to rounding
    total.diagonal().add_(1e-10 * float(total.diagonal().mean()) if n else 0.0)
    chol_m = torch.linalg.cholesky(total)
    log_det += 2 * float(chol_m.diagonal().log().sum())
    inverse_m = torch.cholesky_inverse(chol_m) if n else total
    together, alone = torch.zeros_like(total), torch.zeros_like(total)
    for gain, rows, root, block in zip(gains.tolist(), active, roots, blocks, strict=True):
        coupled = root.mT @ inverse_m[rows.unsqueeze(1), rows] @ root
        together[rows.unsqueeze(1), rows] += gain**2 * block
        alone[rows.unsqueeze(1), rows] += gain**4 * root @ coupled @ root.mT
        left = -coupled
        left.diagonal().add_(1)
        halves.append(root @ _root(left))
    common = (together @ inverse_m @ together - alone) / (classes * (classes - 1))
    return Dual(
        gains, tuple(active), tuple(weights), tuple(whiteners), tuple(halves), chol_m, common, log_det
    )


def _root(a: Tensor) -> Tensor:
    """[a,a] with a = root rootᵀ; a [a,a] has eigenvalues in [0, 1], up to rounding."""
    chol, failed = torch.linalg.cholesky_ex(a + 1e-9 * torch.eye(len(a), dtype=a.dtype))
    if not bool(failed):
        return chol
    # where every label is saturated M is all but singular, and rounding makes them negative
    values, vectors = torch.linalg.eigh(a)
    return vectors * values.clamp(min=0).sqrt()


def log_evidence(mode: Mode, dual: Dual) -> float:
    """Laplace's approximation of log p(y): log joint at the mode − ½ log det H (R&W eq. 3.44)."""
    return mode.log_joint - 0.5 * dual.log_det
