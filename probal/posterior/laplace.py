"""The Laplace posterior of one tower's projection: embeddings with their uncertainty, and its online update.

Shapes use the glossary of `probal.types`: N images (or texts), P activation width, D embedding width, K samples.
Source: BayesVLM (arXiv 2412.06014). Everything here is frozen; an update returns a new posterior.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from probal.gaussian import GaussianEmbedding
from probal.posterior.curvature import Curvature, measure
from probal.posterior.evidence import fit_prior_precision, log_evidence
from probal.posterior.ggn import Likelihood
from probal.posterior.kron import Damping, KroneckerPrecision
from probal.posterior.projection import Projection


@dataclass(frozen=True, eq=False)
class TowerPosterior:
    """`W ~ N(Ŵ, precision⁻¹)` for the projection of an image or a text tower; made by :func:`fit_posterior`."""

    projection: Projection
    """Ŵ, the mean."""
    curvature: Curvature
    precision: KroneckerPrecision
    counted: frozenset[int] = frozenset()
    """Ids of the labeled images whose curvature is in already."""
    span: Tensor | None = None  # [D, R]
    """Output directions in which W is uncertain; None for all."""

    def embed(self, activations: Tensor, residual: Tensor | None = None) -> GaussianEmbedding:
        """Embeddings of activations [N, P] as one leverage each and a shared [D, D], in the original basis.

        This is the form that `cosine_logits` turns into noise shared by the classes. For the exact posterior
        every image keeps its total variance and its shape is the mean one, see `KroneckerPrecision.shared`.
        `residual` [N, D] as in `Projection.apply`.
        """
        mean = self.projection.apply(activations, residual)
        leverage = self.precision.leverage(self.projection.inputs(activations))
        return GaussianEmbedding(mean, leverage=leverage, shared=self.precision.shared.to(leverage.dtype))

    def embed_rotated(self, activations: Tensor, residual: Tensor | None = None) -> GaussianEmbedding:
        """The same with each image's exact covariance, as `var` [N, D] in B's eigenbasis.

        The class rows must be brought there by :meth:`rotate`. What the variance of an image has in common
        between classes is only partly kept by `cosine_logits`: see there.
        """
        mean = self.projection.apply(activations, residual)
        var = self.precision.variance(self.projection.inputs(activations))
        return GaussianEmbedding(self.precision.rotate(mean), var)

    def rotate(self, rows: GaussianEmbedding) -> GaussianEmbedding:
        """Rows of the original basis in B's eigenbasis; a shared covariance goes along whole.

        Raises ValueError for rows with `var` [N, D], whose covariances are diagonal in one basis only.
        """
        if rows.var is not None:
            raise ValueError(
                "rows with var [N, D] cannot be rotated: give leverage with shared, or no variance"
            )
        mean = self.precision.rotate(rows.mean)
        if rows.shared is None:
            return GaussianEmbedding(mean)
        full = torch.diag(rows.shared) if rows.shared.dim() == 1 else rows.shared
        v = self.precision.v
        return GaussianEmbedding(
            mean, leverage=rows.leverage, shared=(v.mT @ full.double() @ v).to(full.dtype)
        )

    def sample(
        self, activations: Tensor, n_samples: int, generator: torch.Generator, residual: Tensor | None = None
    ) -> Tensor:
        """Joint draws of the embeddings, [N, P] -> [N, K, D]: every image of a draw sees the same W."""
        noise = self.precision.sample(self.projection.inputs(activations), n_samples, generator)
        return self.projection.apply(activations, residual)[:, None] + noise

    def log_evidence(self) -> float:
        """Log evidence at this λ, nats, up to a constant."""
        return log_evidence(self.precision, self.projection.square_norm(self.span))

    def update(
        self,
        ids: Tensor,
        activations: Tensor,
        targets: Tensor,
        likelihood: Likelihood,
        residual: Tensor | None = None,
    ) -> TowerPosterior:
        """The posterior after the images `ids` [n] with activations [n, P] got labels among `targets` [C, D].

        Each image adds its own outer product and its own curvature, counted as one, and λ is estimated anew.
        Which class it was does not enter: the Gauss-Newton of both losses is the same for every label, and
        the mean is the adapter's to move. Images counted before are left out, so handing over all labels so
        far is right. Equal to a fit on all data together. Raises ValueError for ids that do not fit.
        """
        if ids.dim() != 1 or len(ids) != len(activations):
            raise ValueError(f"ids must be [n], one for each of the {len(activations)} activations")
        keep, seen = [], set(self.counted)
        for row, each in enumerate(ids.tolist()):
            if each not in seen:
                keep.append(row)
                seen.add(each)
        if not keep:
            return self
        chosen = None if residual is None else residual[keep]
        added = measure(self.projection, activations[keep], targets, likelihood, chosen)
        curvature = self.curvature + added
        damping, tau = self.precision.damping, self.precision.tau
        fitted = fit_posterior(self.projection, curvature, damping, tau, span=self.span)
        return replace(fitted, counted=frozenset(seen))


def fit_posterior(
    projection: Projection,
    curvature: Curvature,
    damping: Damping = Damping.EXACT,
    tau: float = 1.0,
    prior_precision: float | None = None,
    span: Tensor | None = None,
) -> TowerPosterior:
    """The Laplace posterior of a projection; λ by the evidence unless it is given.

    `span` [D, R], orthonormal columns (see `span_of`), leaves W exact in all other output directions. A few
    classes determine a few directions. In the rest the posterior is the prior, and there the evidence prefers
    it wide: weights that were learned elsewhere look improbable for nothing.

    Raises ValueError for a curvature of other widths than the projection's, and where the evidence has no
    maximum.
    """
    expected = (projection.columns, projection.width)
    if (len(curvature.outer), len(curvature.ggn)) != expected:
        raise ValueError(
            f"the curvature is for P = {len(curvature.outer)} and D = {len(curvature.ggn)}, "
            f"the projection has {expected[0]} (bias included) and {expected[1]}"
        )
    precision = KroneckerPrecision.from_factors(
        curvature.a, curvature.b, 1.0 if prior_precision is None else prior_precision, tau, damping, span
    )
    if prior_precision is None:
        precision = fit_prior_precision(precision, projection.square_norm(span))
    return TowerPosterior(projection, curvature, precision, span=span)
