"""BayesAdapter by Laplace: a Gaussian posterior over class weights around the text prototypes.

The model of arXiv 2412.09718 (its MAP is CLAP), without a normalizer of w::

    logit_ic = scale · x̂_iᵀ w_c        w_c ~ N(prototype_c, λ⁻¹ I)        λ = scale² / amplitude

In logit units the two hyperparameters part cleanly: `scale` says how far the prototypes are trusted,
`amplitude` κ how far the labels may move the logits away from them (kernel κ x̂ᵀx̂').

Both are chosen by the leave-one-out log likelihood, not by the evidence: the isotropic prior gives most of its
mass to directions in which images never vary, so the evidence asks for an amplitude 10 to 1000 times below
the one with the best held-out likelihood, while leave-one-out follows that one (benchmarks/hyperparameters.py).
For the same reason the Laplace covariance is far too wide as it stands; it is multiplied by a `temperature`
from the leave-one-out likelihood of the predictive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from probal.adapters._hyperparameters import choose_hyperparameters, choose_temperature
from probal.adapters._joint import draw_images, draw_weights
from probal.adapters._softmax_gp import curvature, find_mode, span_of
from probal.adapters.base import check_labels
from probal.gaussian import GaussianEmbedding, GaussianLogits, shared_factor
from probal.threads import single_thread

_CHUNK = 4096


@dataclass(frozen=True)
class LaplacePosterior:
    """Gaussian over logit weights; every image's logits follow in closed form.

    With φ = basisᵀ x̂ the covariance of an image's logits is, for class c,
    ``temperature · g_c² (κ|x̂|² − |φ|² + φᵀ S_c φ)``: the prior where no label was, shrunk where labels were
    (Woodbury: nothing of size D × D is formed). S_c = (H⁻¹)_cc is the exact marginal block of the coupled
    softmax Hessian.

    Adding one number to all logits of an image changes no probability, and no label says anything about it:
    that direction keeps its prior variance. It is carried as `gain` with a factor of ones, so that `var` is
    what tells classes apart and ``var + gain`` is the exact marginal variance.
    """

    weights: Tensor  # [C,D] posterior mean, scale included
    basis: Tensor  # [D,r] = √κ V
    half: Tensor  # [C,r,r], S_c = half_c half_cᵀ
    gains: Tensor  # [C] prior deviation of each class relative to √κ
    phi: Tensor  # [n,r] float64, the labeled rows in `basis`: with probs the whole Hessian, for joint draws
    probs: Tensor  # [n,C] float64, their probabilities at the mode
    scale: float
    amplitude: float
    temperature: float

    @property
    def prior_precision(self) -> float:
        """λ of the paper."""
        return self.scale**2 / self.amplitude

    def logits(self, images: Tensor | GaussianEmbedding) -> GaussianLogits:
        """Mean and variance [N,C] of unit rows [N,D], or of embeddings with a variance of their own.

        The variance of the weights needs 2NCr² operations. An embedding N(μ, Σx) is divided by the root of its
        second moment ex, as in `cosine_logits`; with w_c ~ N(m_c, Σ_c) independent of it the logit's variance is
        ``(μᵀΣ_c μ + m_cᵀΣx m_c + tr(Σ_c Σx)) / ex``, whose middle term all classes share.
        """
        if isinstance(images, GaussianEmbedding):
            return self._embedded(images.to(self.weights.dtype))
        x = images.to(self.weights.dtype)
        mean = x @ self.weights.T
        var = torch.cat([self._marginal(chunk) for chunk in x.split(_CHUNK)]) if len(x) else mean.clone()
        classes = mean.shape[1]
        # the shift common to all logits keeps its prior variance, 1 / Σ_c (prior variance of class c)⁻¹ each
        shift = self.amplitude * self.temperature * x.square().sum(1) / self.gains.pow(-2).sum()  # [N]
        gain = (shift - (var.mean(1) - shift) / (classes - 1)).clamp(min=0)  # [N]
        ones = torch.ones(classes, 1, dtype=mean.dtype)
        return GaussianLogits(mean, (var - gain.unsqueeze(1)).clamp(min=0), gain, ones)

    def joint(self, images: Tensor | GaussianEmbedding, n_samples: int, generator: torch.Generator) -> Tensor:
        """K draws of the logits of all images together, [N,K,C]: draw k sees one and the same θ_k everywhere.

        The covariance of (i, c) and (j, c') is ``temperature · x̂_iᵀ Σ_cc' x̂_j``, classes coupled as the exact
        Hessian has them. `images` are unit rows [N,D]; or draws [N,K,D] of rows that share the θ of an image
        tower (`TowerPosterior.sample`, divided by the root of the second moment); or a GaussianEmbedding, whose
        rows are independent given the moments. Images to be compared belong in one call. Beyond the result,
        memory is bounded in K and N. Raises ValueError for fewer than one sample and shapes that do not fit.
        """
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {n_samples}")
        image_noise = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))
        rows = draw_images(images, n_samples, image_noise).to(self.weights.dtype)  # [N,1 or K,D]
        out = torch.empty(len(rows), n_samples, len(self.weights), dtype=self.weights.dtype)
        at = 0
        for noise in draw_weights(
            self.phi, self.probs, self.gains.double(), self.basis, self.amplitude, n_samples, generator
        ):
            weights = self.weights + (self.temperature**0.5 * noise).to(self.weights.dtype)  # [k,C,D]
            for k, each in enumerate(weights, start=at):
                out[:, k] = rows[:, k if rows.shape[1] > 1 else 0] @ each.mT
            at += len(weights)
        return out

    def _embedded(self, images: GaussianEmbedding) -> GaussianLogits:
        ex = images.second_moment()  # [N]
        own = self.logits(images.mean / ex.sqrt().unsqueeze(1))
        if images.is_exact:
            return own
        if images.leverage is None or images.shared is None:
            spread = self.weights.square() + self._class_variance()  # [C,D]
            return GaussianLogits(own.mean, own.var + images.variance_along(spread) / ex.unsqueeze(1))
        # the shift that all classes share is left out: it changes no probability, and the one factor is the image's
        gain = images.leverage / ex  # [N]
        var = own.var + gain.unsqueeze(1) * self._trace(images.shared)
        return GaussianLogits(own.mean, var, gain, shared_factor(self.weights, images.shared))

    def _class_variance(self) -> Tensor:
        """Diagonals of Σ_c, [C,D]."""
        outside = self.amplitude - self.basis.square().sum(1)  # [D]
        inside = (self.basis @ self.half).square().sum(-1)  # [C,D]
        return self.temperature * self.gains.square().unsqueeze(1) * (inside + outside)

    def _trace(self, shared: Tensor) -> Tensor:
        """tr(Σ_c S), [C]."""
        if shared.ndim == 1:
            return self._class_variance() @ shared
        seen = self.basis.T @ shared @ self.basis  # [r,r]
        inside = ((seen @ self.half) * self.half).sum((1, 2))  # [C]
        outside = self.amplitude * shared.trace() - seen.trace()
        return self.temperature * self.gains.square() * (outside + inside)

    def _marginal(self, x: Tensor) -> Tensor:
        phi = x @ self.basis  # [N,r]
        outside = (self.amplitude * x.square().sum(1) - phi.square().sum(1)).clamp(min=0)  # [N]
        inside = (phi @ self.half).square().sum(-1).T  # [N,C]
        return self.temperature * self.gains.square() * (inside + outside.unsqueeze(1))

    def tensors(self) -> Mapping[str, Tensor]:
        scalars = torch.tensor([self.scale, self.amplitude, self.temperature], dtype=torch.float64)
        return {
            "weights": self.weights,
            "basis": self.basis,
            "half": self.half,
            "gains": self.gains,
            "phi": self.phi,
            "probs": self.probs,
            "hyperparameters": scalars,
        }

    def hyperparameters(self) -> Mapping[str, float]:
        return {"scale": self.scale, "amplitude": self.amplitude, "temperature": self.temperature}


@dataclass(frozen=True)
class BayesAdapter:
    """Laplace approximation in the dual; cost grows with the labels, not with D.

    scale: the encoder's logit scale, where the search for the adapter's own begins. amplitude, temperature:
    None means by leave-one-out. fit_scale: False keeps `scale`.
    """

    scale: float
    fit_scale: bool = True
    amplitude: float | None = None
    temperature: float | None = None

    @single_thread()
    def fit(self, x: Tensor, y: Tensor, prior: GaussianEmbedding) -> LaplacePosterior:
        """Posterior of x [n,D], y [n] around prototypes [C,D]; see `Adapter.fit`.

        A prior with variance sets how far each class may move relative to the others.
        """
        check_labels(x, y, prior)
        labeled, prototypes = x.double(), prior.mean.double()
        span, v = span_of(labeled)
        zero_shot = labeled @ prototypes.T  # [n,C]

        gains = _gains(prior)
        scale, amplitude = choose_hyperparameters(
            zero_shot, span, y, self.scale, self.fit_scale, self.amplitude, gains
        )
        phi = amplitude**0.5 * span
        mode = find_mode(scale * zero_shot, phi, y, gains=gains)
        curved = curvature(phi, mode.probs, gains)
        covariance = curved.marginal_covariance()
        temperature = self.temperature
        if temperature is None:
            temperature = choose_temperature(scale * zero_shot, phi, y, mode, gains)
        basis = amplitude**0.5 * v
        return LaplacePosterior(
            weights=(scale * prototypes + (basis @ (mode.weights * gains)).T).to(x.dtype),
            basis=basis.to(x.dtype),
            half=torch.linalg.cholesky(covariance).to(x.dtype),
            gains=gains.to(x.dtype),
            phi=phi,
            probs=mode.probs,
            scale=scale,
            amplitude=amplitude,
            temperature=temperature,
        )


def _gains(prior: GaussianEmbedding) -> Tensor:
    """Prior deviation of each class relative to all classes' [C] float64: ones for exact prototypes.

    Of BayesVLM's text variance only the size per class is taken, λ_c ∝ 1 / mean_d var_cd; how large the prior is
    as a whole stays with the amplitude, which the labels choose.
    """
    if prior.is_exact:
        return torch.ones(len(prior), dtype=torch.float64)
    size = prior.variance().double().mean(1)  # [C]
    if not bool((size > 0).all()):
        raise ValueError("a prior with variance needs some for every class")
    return (size / size.log().mean().exp()).sqrt()
