"""BayesAdapter by Laplace: a Gaussian posterior over class weights around the text prototypes.

The model of arXiv 2412.09718 (its MAP is CLAP), without a normalizer of w::

    logit_ic = scale · x̂_iᵀ w_c        w_c ~ N(prototype_c, λ⁻¹ I)        λ = scale² / amplitude

with one change: what the labels add to the prototypes acts on x̂_i − μ, μ the mean of the labeled images. Images of
CLIP have a cosine of 0.5 and more to each other whatever they show, so without it a label of one class lifts that
class everywhere: on 1,000 classes that cost ten points of accuracy at 50 labels (docs/bayesadapter.md, Centre).

In logit units the two hyperparameters part cleanly: `scale` says how far the prototypes are trusted,
`amplitude` κ how far the labels may move the logits away from them (kernel κ x̂ᵀx̂').

Both are chosen by the leave-one-out log likelihood, not by the evidence: the isotropic prior gives most of its
mass to directions in which images never vary, so with class texts the evidence asks for an amplitude 500 to 5000
times below the one with the best held-out likelihood; without them it does no worse (benchmarks/hyperparameters.py).
On the amplitude labels predicted from earlier ones have a say too (`_amplitude`).
For the same reason the Laplace covariance is far too wide as it stands; it is multiplied by a `temperature`
from the leave-one-out likelihood of the predictive. All logits are multiplied by a `sharpness` at the end, which
labels predicted from earlier ones choose (`_sharpness`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from probal.adapters._amplitude import compromise, restrained
from probal.adapters._dual import Dual, factor
from probal.adapters._gains import gains_of_variance, gains_of_zero_shot
from probal.adapters._hyperparameters import (
    Start,
    amplitude_hyperprior,
    choose_hyperparameters,
    choose_temperature,
)
from probal.adapters._joint import draw_images, draw_weights
from probal.adapters._later import LaterLabels
from probal.adapters._sharpness import choose_sharpness
from probal.adapters._softmax_gp import find_mode
from probal.adapters.base import check_labels, over_moment
from probal.gaussian import GaussianEmbedding, GaussianLogits, shared_factor
from probal.threads import single_thread

_CHUNK = 4096
_TOLERANCE, _TOLERANCE_SINGLE = 1e-7, 1e-3
_SAME = 1e-5
"""Rows that differ by less are one image."""
_SETTLED = 0.8
"""Share of the labels that an earlier fit must have had: with fewer its hyperparameters are too far off, and a fit
from nothing is quick."""
_CENTRE_LABELS = 4
"""Labels that the origin weighs as much as, where the centre of a few is asked for."""


@dataclass(frozen=True, eq=False)
class LaplacePosterior:
    """Gaussian over logit weights; every image's logits follow in closed form.

    The covariance of an image's logit of class c is ``temperature · (κ_c|u|² − k_c (E_c − E_c M⁻¹ E_c) k_cᵀ)``, u the
    image and X the labeled ones less the centre, κ_c = g_c² κ and k_c = κ_c u Xᵀ: the prior where no label was,
    shrunk where labels were (Woodbury, see `_dual`; nothing of size D × D is formed). It is the exact marginal block
    of the coupled softmax Hessian.

    Adding one number to all logits of an image changes no probability, so no label says anything about it, and the
    classes vary together. The mean covariance of two classes is carried as `gain` with a factor of ones: `var` is
    what tells classes apart and ``var + gain`` the marginal variance.
    """

    weights: Tensor  # [C,D] posterior mean, scale included
    bias: Tensor  # [C]
    centre: Tensor  # [D]
    rows: Tensor  # [n,D] the labeled images less the centre
    probs: Tensor  # [n,C] their probabilities at the mode: with `rows` the whole Hessian
    dual: Dual
    scale: float
    amplitude: float
    temperature: float
    sharpness: float
    """What logits were multiplied by: it is in `weights` and `bias`, its square in `temperature`."""

    @property
    def gains(self) -> Tensor:
        """Prior deviation of each class relative to √κ, [C]."""
        return self.dual.gains.to(self.weights.dtype)

    def logits(self, images: Tensor | GaussianEmbedding) -> GaussianLogits:
        """Mean and variance [N,C] of unit rows [N,D], or of embeddings with a variance of their own.

        An embedding N(μ, Σx) is divided by the root of its
        second moment ex, as in `cosine_logits`; with w_c ~ N(m_c, Σ_c) independent of it the logit's variance is
        ``(μᵀΣ_c μ + m_cᵀΣx m_c + tr(Σ_c Σx)) / ex``, whose middle term all classes share.
        """
        if isinstance(images, GaussianEmbedding):
            return self._embedded(images.to(self.weights.dtype))
        x = images.to(self.weights.dtype)
        mean = x @ self.weights.T + self.bias
        parts = [self._marginal(chunk) for chunk in x.split(_CHUNK)]
        var, gain = (torch.cat(each) for each in zip(*parts, strict=True))
        ones = torch.ones(mean.shape[1], 1, dtype=mean.dtype)
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
        for noise in draw_weights(self.rows, self.dual, self.amplitude, n_samples, generator):
            moved = (self.temperature**0.5 * noise).to(self.weights.dtype)  # [k,C,D]
            for k, each in enumerate(moved, start=at):
                x = rows[:, k if rows.shape[1] > 1 else 0]
                out[:, k] = x @ self.weights.mT + self.bias + (x - self.centre) @ each.mT
            at += len(moved)
        return out

    def _embedded(self, images: GaussianEmbedding) -> GaussianLogits:
        rows, ex = over_moment(images)
        own = self.logits(rows)
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
        seen = [
            (self.rows[active].mT @ half.to(self.rows.dtype)).square().sum(1)
            for active, half in zip(self.dual.active, self.dual.half, strict=True)
        ]
        return self._spread(torch.ones_like(self.weights[0]), torch.stack(seen))

    def _trace(self, shared: Tensor) -> Tensor:
        """tr(Σ_c S), [C]."""
        if shared.ndim == 1:
            return self._class_variance() @ shared
        kernel = self.rows @ shared @ self.rows.T  # [n,n]
        halves = [half.to(kernel.dtype) for half in self.dual.half]
        seen = [
            ((kernel[active][:, active] @ half) * half).sum()
            for active, half in zip(self.dual.active, halves, strict=True)
        ]
        return self._spread(shared.trace(), torch.stack(seen))

    def _spread(self, prior: Tensor, seen: Tensor) -> Tensor:
        """temperature · κ_c (prior − κ_c seen_c), what the labels left of a quadratic form; seen [C,...]."""
        size = self.amplitude * self.gains.square()  # κ_c [C]
        size = size.reshape(-1, *[1] * (seen.ndim - 1))
        return self.temperature * size * (prior - size * seen)

    def _marginal(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Marginal variances [N,C] and what all classes of an image share of them [N]."""
        away = x - self.centre
        prior = self.amplitude * away.square().sum(1, keepdim=True) * self.gains.square()  # [N,C]
        explained, common = self.dual.explained(self.amplitude * (away @ self.rows.T))
        return self.temperature * (prior - explained).clamp(min=0), self.temperature * common.clamp(min=0)

    def tensors(self) -> Mapping[str, Tensor]:
        scalars = torch.tensor(list(self.hyperparameters().values()), dtype=torch.float64)
        return {
            "weights": self.weights,
            "bias": self.bias,
            "centre": self.centre,
            "rows": self.rows,
            "probs": self.probs,
            "gains": self.gains,
            "hyperparameters": scalars,
        }

    def hyperparameters(self) -> Mapping[str, float]:
        return {
            "scale": self.scale,
            "amplitude": self.amplitude,
            "temperature": self.temperature,
            "sharpness": self.sharpness,
        }


@dataclass(frozen=True)
class BayesAdapter:
    """Laplace approximation in the dual; cost grows with the labels, not with D.

    scale: the encoder's logit scale, where the search for the adapter's own begins. amplitude, temperature:
    None means by leave-one-out. fit_scale: False keeps `scale`. centre: False is the paper's own model. sharpness:
    None means by labels predicted from earlier ones. class_multipliers: True holds each class by CLAP's λ_c, its
    labeled images' mean zero-shot probability at `scale`; it has no effect without prototypes.
    """

    scale: float
    fit_scale: bool = True
    amplitude: float | None = None
    temperature: float | None = None
    centre: bool = True
    sharpness: float | None = None
    class_multipliers: bool = False

    @single_thread()
    def fit(
        self, x: Tensor, y: Tensor, prior: GaussianEmbedding, start: Mapping[str, Tensor] | None = None
    ) -> LaplacePosterior:
        """Posterior of x [n,D], y [n] around prototypes [C,D]; see `Adapter.fit`.

        A prior with variance sets how far each class may move relative to the others. `start` are the tensors of
        an earlier fit with fewer labels: the search begins at its hyperparameters and the mode at its weights.
        """
        check_labels(x, y, prior)
        labeled, prototypes = x.double(), prior.mean.double()
        centre = labeled.sum(0) / (len(labeled) + _CENTRE_LABELS) * self.centre  # [D]
        moved = labeled - centre
        gram = moved @ moved.T  # [n,n]
        zero_shot = labeled @ prototypes.T  # [n,C]
        gains = gains_of_variance(prior)
        if self.class_multipliers:
            gains = gains * gains_of_zero_shot(self.scale * zero_shot, y)
        has_prior = bool(prototypes.any())
        scale, amplitude, shift = choose_hyperparameters(
            zero_shot,
            gram,
            y,
            self.scale,
            self.fit_scale,
            self.amplitude,
            gains,
            has_prior,
            _begin(start, labeled, y, prior),
        )
        # float32 vectors are searched in float32, which halves the time; the factors need float64
        parts = (scale * zero_shot, labeled @ labeled.T, gains, shift)
        offset, plain, g, begin = (each.to(x.dtype) for each in parts)
        later = LaterLabels(offset, plain, y, g, _CENTRE_LABELS if self.centre else None, begin)
        if self.amplitude is None:
            amplitude = compromise(later, amplitude, amplitude_hyperprior(y, len(gains), has_prior))
            if has_prior:
                amplitude = restrained(later, amplitude)
        gram = amplitude * gram
        kernel = gram.to(x.dtype)
        tolerance = _TOLERANCE if x.dtype == torch.float64 else _TOLERANCE_SINGLE
        mode = find_mode(offset, kernel, y, begin / amplitude, tolerance, g)
        temperature = self.temperature
        if temperature is None:
            temperature = choose_temperature(zero_shot, kernel, y, mode, g)
        sharpness = self.sharpness
        if sharpness is None:
            sharpness = choose_sharpness(later.at(amplitude))
        learned = amplitude * gains.square().unsqueeze(1) * (mode.representer.double().T @ moved)  # [C,D]
        return LaplacePosterior(
            weights=(sharpness * (scale * prototypes + learned)).to(x.dtype),
            bias=-(sharpness * learned @ centre).to(x.dtype),
            centre=centre.to(x.dtype),
            rows=moved.to(x.dtype),
            probs=mode.probs,
            dual=factor(gram, mode.probs.double(), gains),
            scale=scale,
            amplitude=amplitude,
            temperature=sharpness**2 * temperature,
            sharpness=sharpness,
        )


def _begin(
    start: Mapping[str, Tensor] | None, x: Tensor, y: Tensor, prior: GaussianEmbedding
) -> Start | None:
    """None where there is nothing to begin from: no earlier fit, one of other classes, or of far fewer labels.

    A label that was there before keeps its representer weight y − π, a new one begins at zero.
    """
    if start is None or start["weights"].shape != prior.mean.shape or len(start["rows"]) < _SETTLED * len(x):
        return None
    scale, amplitude = start["hyperparameters"][:2].tolist()
    representer = torch.zeros(len(x), len(prior), dtype=torch.float64)
    earlier = start["rows"] + start["centre"]  # [m,D]
    if len(earlier):
        likeness, at = (x.to(earlier.dtype) @ earlier.T).max(dim=1)
        kept = likeness > 1 - _SAME
        representer[kept] = one_hot(y[kept], len(prior)).double() - start["probs"][at[kept]].double()
    return Start(scale, amplitude, representer)
