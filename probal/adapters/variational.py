"""BayesAdapter by variational inference: the Gaussian over class weights with the largest evidence lower bound.

The model is `BayesAdapter`'s (arXiv 2412.09718, eq. 5), in its whitened dual coordinates: logits
``F = offset + Φ B diag(g)``, prior b_c ~ N(0, I). The posterior is independent over classes, each with a full
covariance, ``q(b_c) = N(m_c, S_c)``, and maximizes (eq. 8)::

    ELBO = Σ_i E_q log softmax(f_i)[y_i] − Σ_c KL(q(b_c) ‖ N(0, I))
    KL   = ½ (tr S_c + |m_c|² − r − log det S_c)                       the real one: ½, determinant, no ramp

At its maximum (Opper and Archambeau 2009) ``S_c = (I + g_c² Φᵀ diag(Λ_c) Φ)⁻¹`` with Λ = E π(1−π): n numbers a
class, whatever D is. A natural gradient step on S_c⁻¹ is ``Λ ← (1−ρ) Λ + ρ E π(1−π)`` (Khan and Lin 2017); the mean
takes Newton steps with the expected Hessian. Outside the span of the labels q is the prior.

A temperature T other than 1 is the cold posterior ∝ (p(y|B) p(B))^{1/T} of Wenzel et al. 2020 (arXiv 2002.02405),
what a temperature on Laplace's covariance is too: S_c = T (I + …)⁻¹, and the bound times T is
``Σ_i E_q log softmax − T Σ_c KL(q(b_c) ‖ N(0, T I))``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from probal.adapters._joint import draw_images
from probal.adapters._softmax_gp import span_of
from probal.adapters._variational_bound import Bound, label_factors, maximize
from probal.adapters.base import check_labels, over_moment
from probal.adapters.bayes_adapter import BayesAdapter
from probal.gaussian import GaussianEmbedding, GaussianLogits, shared_factor
from probal.threads import single_thread

_BLOCK_ELEMENTS = 1 << 24


@dataclass(frozen=True)
class VariationalPosterior:
    """Independent Gaussians over the logit weights of each class.

    ``Σ_c = T κ g_c² (I − E_cᵀ E_c)``, where E_c [a,D] = L⁻¹U, U the labeled rows times g_c √(κ Λ_c) and
    L Lᵀ = I + U Uᵀ (Woodbury). The factors are made from n·C numbers when they are asked for.
    """

    weights: Tensor  # [C,D] posterior mean, scale included
    bias: Tensor  # [C]
    centre: Tensor  # [D]
    labeled: Tensor  # [n,D] unit rows less the centre
    precision: Tensor  # [n,C] Λ, what each label adds to the precision of each class
    gains: Tensor  # [C] prior deviation of each class relative to √κ
    scale: float
    amplitude: float
    temperature: float
    sharpness: float
    """As in `LaplacePosterior`."""
    bound: float
    """T times the evidence lower bound before sharpening, nats; at temperature 1 a lower bound of log p(y)."""

    def logits(self, images: Tensor | GaussianEmbedding) -> GaussianLogits:
        """Mean and variance [N,C] of unit rows [N,D], or of embeddings with a variance of their own.

        An embedding N(μ, Σx) is divided by the root of its second moment ex; the variance is then
        ``(μᵀΣ_c μ + m_cᵀΣx m_c + tr(Σ_c Σx)) / ex``, whose middle term all classes share.
        """
        if not isinstance(images, GaussianEmbedding):
            x = images.to(self.weights.dtype)
            away = x - self.centre
            square = away.square().sum(1)  # [N]
            left = [square - (away @ e.T).square().sum(1) for e in self._explained()]
            return GaussianLogits(
                x @ self.weights.T + self.bias, self._prior() * torch.stack(left, 1).clamp(min=0)
            )
        images = images.to(self.weights.dtype)
        rows, ex = over_moment(images)
        own = self.logits(rows)
        if images.is_exact:
            return own
        if images.leverage is None or images.shared is None:
            left = [1 - e.square().sum(0) for e in self._explained()]
            spread = self.weights.square() + self._prior()[:, None] * torch.stack(left)  # [C,D]
            return GaussianLogits(own.mean, own.var + images.variance_along(spread) / ex.unsqueeze(1))
        shared = images.shared if images.shared.ndim == 2 else images.shared.diag()  # [D,D]
        trace = torch.stack([shared.trace() - ((e @ shared) * e).sum() for e in self._explained()])
        gain = images.leverage / ex  # [N]
        var = own.var + gain.unsqueeze(1) * self._prior() * trace
        return GaussianLogits(own.mean, var, gain, shared_factor(self.weights, images.shared))

    def joint(self, images: Tensor | GaussianEmbedding, n_samples: int, generator: torch.Generator) -> Tensor:
        """K draws of the logits of all images together, [N,K,C]: draw k sees one and the same θ_k everywhere.

        `images` as in `LaplacePosterior.joint`. Raises ValueError for fewer than one sample and shapes that do
        not fit.
        """
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {n_samples}")
        image_noise = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))
        rows = draw_images(images, n_samples, image_noise).to(self.weights.dtype)  # [N,1 or K,D]
        width = self.weights.shape[1]
        out = rows @ self.weights.mT + self.bias  # [N,1 or K,C]
        out = out.expand(-1, n_samples, -1).clone()
        rows = rows - self.centre
        size = max(1, _BLOCK_ELEMENTS // width)
        for c, (prior, (chol, u)) in enumerate(zip(self._prior(), self._factors(), strict=True)):
            for start in range(0, n_samples, size):
                k = min(size, n_samples - start)
                noise = torch.randn(k, width, dtype=out.dtype, generator=generator)  # [k,D]
                # Matheron's rule: a draw of the prior, moved to agree with what the labels say of it
                seen = noise @ u.T + torch.randn(k, len(u), dtype=out.dtype, generator=generator)
                noise = noise - torch.cholesky_solve(seen.T, chol).T @ u
                drawn = prior.sqrt() * noise  # [k,D]
                if rows.shape[1] == 1:
                    out[:, start : start + k, c] += rows[:, 0] @ drawn.T
                else:
                    out[:, start : start + k, c] += (rows[:, start : start + k] * drawn).sum(-1)
        return out

    def _prior(self) -> Tensor:
        """Variance of each weight before any label, [C]."""
        return self.temperature * self.amplitude * self.gains.square()

    def _factors(self) -> Iterator[tuple[Tensor, Tensor]]:
        """L [a,a] and U [a,D] of each class."""
        rows = self.amplitude**0.5 * self.labeled.double()
        for each in (self.gains.square() * self.precision).double().unbind(1):
            chol, u = label_factors(rows, each)
            yield chol.to(self.weights.dtype), u.to(self.weights.dtype)

    def _explained(self) -> Iterator[Tensor]:
        """E_c [a,D]: which directions the labels have shrunk."""
        for chol, u in self._factors():
            yield torch.linalg.solve_triangular(chol, u, upper=False)

    def tensors(self) -> Mapping[str, Tensor]:
        scalars = torch.tensor(list(self.hyperparameters().values()), dtype=torch.float64)
        return {
            "weights": self.weights,
            "bias": self.bias,
            "centre": self.centre,
            "labeled": self.labeled,
            "precision": self.precision,
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
class VariationalAdapter:
    """Variational BayesAdapter. What is None is chosen as `BayesAdapter` chooses it, by leave-one-out on the labels.

    scale: the encoder's logit scale; fit_scale: False keeps it. amplitude, temperature, centre, sharpness: as in
    `BayesAdapter`.
    """

    scale: float
    fit_scale: bool = True
    amplitude: float | None = None
    temperature: float | None = None
    centre: bool = True
    sharpness: float | None = None

    @single_thread()
    def fit(
        self, x: Tensor, y: Tensor, prior: GaussianEmbedding, start: Mapping[str, Tensor] | None = None
    ) -> VariationalPosterior:
        """Posterior of x [n,D], y [n] around prototypes [C,D], from Laplace's mode on; see `Adapter.fit`."""
        check_labels(x, y, prior)
        laplace = BayesAdapter(
            self.scale, self.fit_scale, self.amplitude, self.temperature, self.centre, self.sharpness
        ).fit(x, y, prior, None if start is None else _as_laplace(start))
        prototypes, moved = laplace.scale * prior.mean.double(), laplace.rows.double()
        gains, root = laplace.gains.double(), laplace.amplitude**0.5
        span, v = span_of(moved)  # [n,r], [D,r]
        sharpness = laplace.sharpness
        plain = laplace.temperature / sharpness**2
        problem = Bound(x.double() @ prototypes.T, root * span, y, gains, plain)
        mode = ((laplace.weights.double() / sharpness - prototypes) @ v).T / (root * gains)  # [r,C]
        found = maximize(problem, mode)
        learned = (root * v @ (found.mean * gains)).T  # [C,D]
        return VariationalPosterior(
            weights=(sharpness * (prototypes + learned)).to(x.dtype),
            bias=-(sharpness * learned @ laplace.centre.double()).to(x.dtype),
            centre=laplace.centre,
            labeled=laplace.rows,
            precision=found.precision.to(x.dtype),
            gains=gains.to(x.dtype),
            scale=laplace.scale,
            amplitude=laplace.amplitude,
            temperature=laplace.temperature,
            sharpness=sharpness,
            bound=found.value,
        )


def _as_laplace(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A variational fit as a beginning for Laplace: its means stand for the mode."""
    rows = tensors["labeled"]
    logits = (rows + tensors["centre"]) @ tensors["weights"].T + tensors["bias"]
    sharpness = tensors["hyperparameters"][3:].prod()  # 1 for a snapshot of before there was any
    probs = torch.softmax(logits / sharpness, 1)
    return {**tensors, "rows": rows, "probs": probs}
