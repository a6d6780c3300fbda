"""The distribution of the cosine between two Gaussian embeddings.

Shapes use the glossary of `probal.types`. Source of the moments: Smith et al. 2023, the ProbCosine of
BayesVLM (arXiv 2412.06014). With `ex = E|x|²` and `et = E|t|²` they are the exact moments of
`xᵀt / √(ex·et)` for independent x and t. They approximate the true cosine: normalizing a noisy x takes the
noise along its mean away, so the variance here is too large by `1 / (1 − cos²)` for small noise. For
isotropic noise on x (D = 64), variance here over that of the true cosine (benchmarks/bayesvlm_figure.py):

    tr Σx / |μx|²       cos 0    0.3    0.6    0.8    0.9
    0.01                 1.00   1.10   1.55   2.76   5.15
    0.1                  1.00   1.09   1.52   2.56   4.31
    0.5                  0.99   1.06   1.38   1.98   2.67
"""

from __future__ import annotations

import torch
from torch import Tensor

from probal.gaussian.embedding import GaussianEmbedding
from probal.gaussian.logits import GaussianLogits

Number = float | Tensor


def cosine_moments(
    images: GaussianEmbedding, classes: GaussianEmbedding, scale: Number, bias: Number = 0.0
) -> GaussianLogits:
    """Logits `scale · cos + bias` with the paper's marginal moments, classes taken as independent.

        E   = Σ_d μx μt / √(ex·et)
        Var = Σ_d (σt² (μx² + σx²) + σx² μt²) / (ex·et)

    images [N, D], classes [C, D] -> mean and var [N, C]. Reads the marginal variances only, so the diagonal
    of a full `shared`. What the classes have in common is lost: see `cosine_logits`. `scale` and `bias` are
    numbers or tensors that broadcast with [N, C]. Raises ValueError for unequal widths and for a row whose
    mean and variance are all zero, which has no direction.
    """
    x, t = _same_type(images, classes)
    ex, et = _moment(x, "image"), _moment(t, "class")
    norm = (ex[:, None] * et).sqrt()  # [N, C]
    mean = scale * (x.mean @ t.mean.mT) / norm + bias
    var = torch.zeros_like(mean)
    if not t.is_exact:
        var = x.mean.square() @ t.variance().mT
    if not x.is_exact:
        var = var + x.variance_along(t.mean.square() + t.variance())
    return GaussianLogits(mean, var * (scale / norm) ** 2)


def cosine_logits(
    images: GaussianEmbedding, classes: GaussianEmbedding, scale: Number, bias: Number = 0.0
) -> GaussianLogits:
    """Logits `scale · cos + bias` whose image noise is shared by the classes; the engine's form.

    Write `x = μx + ξ` with covariance `l S` (leverage l, shared matrix S), `t_c = μc + τ_c` with covariance
    `V_c`, all independent. Then `xᵀt_c = μxᵀμc + ξᵀμc + μxᵀτ_c + ξᵀτ_c`, and for any two classes

        Cov(xᵀt_c, xᵀt_c') = l · μcᵀ S μc'  +  [c = c'] · (μxᵀ V_c μx + l · tr(S V_c))

    exactly: the terms in τ are uncorrelated between classes, also the product `ξᵀτ_c`. Dividing by
    `√(ex·et_c)√(ex·et_c')` gives, with `t̂_c = μc / √et_c`,

        gain_i  = l_i / ex_i                                      the noise of the image, all classes together
        factor factorᵀ = scale² T̂ S T̂ᵀ                            [C, C]
        var_ic  = scale² (μxᵀ V_c μx + l_i tr(S V_c)) / (ex_i·et_c)    each class's own

    For diagonal S and V_c, `var + gain · diag(factor factorᵀ)` is the variance of `cosine_moments`; the cross
    term `Σ σt²σx²` stands in `var`. `factor` is [C, R] with R ≤ C.

    Images with `var` [N, D] have no shape in common. Theirs are split as `diag(var_i) = s_i I + rest`: s_i is
    the largest number for which no class is left with a negative variance, so marginal variances stay exact;
    what the rest has in common between classes is lost as in `cosine_moments`. Where no image has any
    variance, `gain` and `factor` are None.

    `scale` is a number or a tensor of one element, `bias` one that broadcasts with [N, C]. Raises ValueError
    as `cosine_moments`, and for a `shared` that is not positive semi-definite.
    """
    x, t = _same_type(images, classes)
    ex, et = _moment(x, "image"), _moment(t, "class")
    scale = torch.as_tensor(scale, dtype=x.mean.dtype, device=x.mean.device)
    if scale.numel() != 1:
        raise ValueError(f"scale must be one number, got shape {tuple(scale.shape)}")
    scale = scale.reshape(())
    x_unit = x.mean / ex.sqrt()[:, None]  # [N, D]
    t_unit = t.mean / et.sqrt()[:, None]  # [C, D]
    mean = scale * (x_unit @ t_unit.mT) + bias
    own = _class_variance(x, x_unit, t, ex, et)  # [N, C]
    if x.is_exact:
        return GaussianLogits(mean, scale.square() * own)
    if x.leverage is not None and x.shared is not None:
        factor = scale * shared_factor(t_unit, x.shared)
        return GaussianLogits(mean, scale.square() * own, x.leverage / ex, factor)
    image_var = x.variance_along(t_unit.square()) / ex[:, None]  # [N, C]
    length = t_unit.square().sum(1)  # [C]
    ratio = torch.where(length > 0, image_var / length, torch.inf)  # a class of mean zero has no say
    gain = ratio.amin(1).nan_to_num(posinf=0.0)  # [N]
    rest = (image_var - gain[:, None] * length).clamp_min(0)
    factor = scale * shared_factor(t_unit, torch.ones_like(t_unit[0]))
    return GaussianLogits(mean, scale.square() * (own + rest), gain, factor)


def _class_variance(
    x: GaussianEmbedding, x_unit: Tensor, t: GaussianEmbedding, ex: Tensor, et: Tensor
) -> Tensor:
    """`(μxᵀ V_c μx + tr(Σx V_c)) / (ex·et_c)`, [N, C]; both full where both are."""
    if t.is_exact:
        return x_unit.new_zeros(len(x), len(t))
    if t.leverage is not None and t.shared is not None and t.shared.dim() == 2:
        weight = t.leverage / et  # [C]
        quad = ((x_unit @ t.shared) * x_unit).sum(1)  # [N]
        cross = x.variance() @ t.shared.diagonal()  # [N]
        if x.leverage is not None and x.shared is not None and x.shared.dim() == 2:
            cross = x.leverage * (x.shared * t.shared).sum()  # tr(S_x S_t)
        return (quad.clamp_min(0) + (cross / ex).clamp_min(0))[:, None] * weight
    v = t.variance() / et[:, None]  # [C, D]
    return x_unit.square() @ v.mT + x.variance_along(v) / ex[:, None]


def shared_factor(rows: Tensor, shared: Tensor) -> Tensor:
    """A factor F with `F Fᵀ = T S Tᵀ` of rows T [C, D] and shared S [D] or [D, D]: [C, R], R = min(C, D).

    Roots are taken in float64. ValueError where S is not positive semi-definite.
    """
    t, s = rows.double(), shared.double()
    if s.dim() == 1:
        wide = t * s.sqrt()  # [C, D]
        if t.shape[0] >= t.shape[1]:
            return wide.to(rows)
        return _psd_root(wide @ wide.mT).to(rows)
    if t.shape[0] >= t.shape[1]:
        return (t @ _psd_root(s)).to(rows)
    return _psd_root(t @ s @ t.mT).to(rows)


def _psd_root(matrix: Tensor) -> Tensor:
    """`U √λ` of a symmetric matrix; ValueError where an eigenvalue is clearly negative."""
    values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
    if len(values) and float(values[0]) < -1e-4 * float(values.abs().max()):
        raise ValueError(f"shared [D, D] must be positive semi-definite, eigenvalue {float(values[0]):.3g}")
    return vectors * values.clamp_min(0).sqrt()


def _moment(rows: GaussianEmbedding, name: str) -> Tensor:
    """`E|x|²` [N]; ValueError naming the first row that has no direction."""
    moment = rows.second_moment()
    empty = torch.nonzero(moment == 0)
    if len(empty):
        raise ValueError(f"{name} row {int(empty[0])} is zero with zero variance: it has no direction")
    return moment


def _same_type(
    images: GaussianEmbedding, classes: GaussianEmbedding
) -> tuple[GaussianEmbedding, GaussianEmbedding]:
    if images.width != classes.width:
        raise ValueError(
            f"images are {images.width} wide and classes {classes.width}: the widths must be equal"
        )
    dtype = torch.promote_types(images.mean.dtype, classes.mean.dtype)
    return images.to(dtype), classes.to(dtype)
