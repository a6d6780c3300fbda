"""What every adapter is: labels in, a frozen posterior over class weights out.

Shapes use the glossary of `probal.types`. Images are rows of unit length (the encoder's embedding, centred
where the encoder asks for it).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from probal.gaussian import GaussianEmbedding, GaussianLogits

_UNIT_TOLERANCE = 0.01


class AdapterPosterior(Protocol):
    """A fitted adapter. Frozen: new labels make a new one."""

    def logits(self, images: Tensor | GaussianEmbedding) -> GaussianLogits:
        """Gaussian logits [N,C] of unit rows [N,D], or of embeddings that carry a variance."""
        ...

    def joint(self, images: Tensor | GaussianEmbedding, n_samples: int, generator: torch.Generator) -> Tensor:
        """K draws of the logits of all images together, [N,K,C]: draw k has one θ_k for all of them.

        `images` are unit rows [N,D], draws [N,K,D] of rows that share an image tower's θ, or embeddings.
        """
        ...

    def tensors(self) -> Mapping[str, Tensor]:
        """All it consists of, for a snapshot."""
        ...

    def hyperparameters(self) -> Mapping[str, float]:
        """The scalars chosen by the fit, for the round's record."""
        ...


class Adapter(Protocol):
    """Settings of an adapter; `fit` may be called any number of times."""

    def fit(
        self, x: Tensor, y: Tensor, prior: GaussianEmbedding, start: Mapping[str, Tensor] | None = None
    ) -> AdapterPosterior:
        """Fit on unit rows x [n,D] with classes y [n] int64, around prototypes [C,D].

        Rows stand in the order in which their labels were given. n may be 0 and classes may have no label: what
        has no label keeps its prior. A zero row of the prior is a class without a prototype. `start` are the
        tensors of an earlier fit of the same adapter, classes and space, with other labels; an adapter that
        searches begins there, one that does not takes no notice.

        Raises ValueError for shapes or labels that do not fit, and for rows that are not of unit length.
        """
        ...


def check_labels(x: Tensor, y: Tensor, prior: GaussianEmbedding) -> None:
    """ValueError where x [n,D], y [n] and the prior [C,D] do not belong together."""
    classes, width = prior.mean.shape
    if x.ndim != 2 or x.shape[1] != width:
        raise ValueError(f"x must be [n, {width}] like the prior, got {tuple(x.shape)}")
    if y.shape != (len(x),) or y.dtype != torch.int64:
        raise ValueError(f"y must be int64 [{len(x)}], got {y.dtype} {tuple(y.shape)}")
    if len(y) and not (int(y.min()) >= 0 and int(y.max()) < classes):
        raise ValueError(f"labels must lie in 0..{classes - 1}, got {int(y.min())}..{int(y.max())}")
    if classes < 2:
        raise ValueError(f"an adapter tells at least two classes apart, got {classes}")
    check_unit(x, "x")


def check_unit(rows: Tensor, name: str) -> None:
    """ValueError where a row of [N,D] has not unit length; a row of zeros, an image at the centre, may stand.

    The tolerance takes vectors that were rounded to bfloat16.
    """
    length = rows.detach().float().norm(dim=1)
    wrong = torch.nonzero(~(((length - 1).abs() < _UNIT_TOLERANCE) | (length == 0)))
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(
            f"{name} must be rows of unit length, row {row} has length {float(length[row]):.4g}: divide by it"
        )


def over_moment(images: GaussianEmbedding) -> tuple[Tensor, Tensor]:
    """Rows [N,D] over the root of their second moment, and that moment ex [N].

    A row of zeros without a variance, an image at the centre, stays as it is; its ex is 1.
    """
    ex = images.second_moment()  # [N]
    ex = torch.where(ex > 0, ex, 1)
    return images.mean / ex.sqrt().unsqueeze(1), ex


def fingerprint(posterior: AdapterPosterior) -> str:
    """sha256 over names, shapes and bytes of the posterior's tensors: equal fits have equal fingerprints."""
    digest = hashlib.sha256()
    for name, value in sorted(posterior.tensors().items()):
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
