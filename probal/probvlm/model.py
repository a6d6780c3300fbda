"""A trained ProbVLM: two frozen heads, how they were trained, and their file (safetensors, no pickle)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from probal.errors import UserError
from probal.probvlm.density import GeneralizedGaussian
from probal.probvlm.embedding import ProbEmbedding
from probal.probvlm.heads import Head
from probal.tensor_file import read_tensors, write_tensors

FORMAT = "probal-probvlm-1"
CHUNK = 4096
"""Rows at once: bounds memory, changes no number."""


@dataclass(frozen=True)
class Settings:
    """How ProbVLM is trained. Raises UserError for a value outside its range."""

    hidden: int = 256
    layers: int = 1
    """Hidden layers of a head, 1 or more."""
    dropout: float = 0.3
    """Probability in [0, 1); at 0 the epistemic variance is 0."""
    cross_weight: float = 10.0
    """λ > 0. Where it is small, each embedding explains itself and the intervals are wrong (docs/probvlm.md)."""
    epochs: int = 40
    patience: int = 5
    """Epochs without a better held-out likelihood after which training stops."""
    batch_size: int = 128
    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    held_out: float = 0.1
    """Share of the pairs, in (0, 1), that choose the epoch."""
    held_out_texts: bool = True
    """Hold out whole texts, with all of their images, and not single pairs."""

    def __post_init__(self) -> None:
        for name in ("hidden", "layers", "epochs", "patience", "batch_size"):
            if not (isinstance(value := getattr(self, name), int) and value >= 1):
                raise UserError(f"{name} must be a whole number of at least 1, got {value!r}")
        for name in ("cross_weight", "learning_rate"):
            if not (math.isfinite(value := getattr(self, name)) and value > 0):
                raise UserError(f"{name} must be a finite number above 0, got {value!r}")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise UserError(f"weight_decay must be a finite number of at least 0, got {self.weight_decay!r}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout must be a probability of at least 0 and below 1, got {self.dropout!r}")
        if not 0 < self.held_out < 1:
            raise UserError(f"held_out must be a share between 0 and 1, got {self.held_out!r}")


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to; the last five on the held-out pairs, without dropout."""

    learning_rate: float
    """After the epoch's last step."""
    training_loss: float
    nll: float
    """Intra-modal plus λ × cross-modal, nats per dimension."""
    nll_error: float
    """Standard error of `nll` over the held-out pairs."""
    calibration_error: float
    """Mean gap between the level of an interval and its coverage."""
    mean_error: float
    """Root mean square distance of an image's mean to its text, per dimension; reported, never chosen by."""


@dataclass(frozen=True, eq=False)
class ProbVLM:
    """Two trained heads; frozen, and safe to share."""

    image: Head
    text: Head
    settings: Settings
    history: tuple[EpochRecord, ...]
    chosen: int
    """The epoch of `history` whose weights these are."""
    reference: (
        Tensor  # [m] ambiguity of the held-out images, ascending: what an ambiguity flag is calibrated on
    )

    def embed_images(self, z: Tensor, generator: torch.Generator, passes: int = 32) -> ProbEmbedding:
        """z [N, D] image embeddings -> mean, aleatoric and epistemic variance [N, D] each (2307.00398).

        Mean and aleatoric variance come from the head without dropout, which is what was calibrated; epistemic is
        the unbiased variance of the mean over `passes` sampled networks. All rows share the networks, so a row's
        result does not depend on its neighbours. UserError for a wrong width, values that are not finite, or
        fewer than 2 passes.
        """
        return _embed(self.image, z, generator, passes)

    def embed_texts(self, z: Tensor, generator: torch.Generator, passes: int = 32) -> ProbEmbedding:
        """The same for text embeddings."""
        return _embed(self.text, z, generator, passes)

    @torch.no_grad()
    def image_density(self, z: Tensor) -> GeneralizedGaussian:
        """The generalized Gaussian of each image z [N, D], without dropout."""
        return self.image(_checked(z, self.image.width))

    @torch.no_grad()
    def text_density(self, z: Tensor) -> GeneralizedGaussian:
        """The generalized Gaussian of each text z [N, D], without dropout."""
        return self.text(_checked(z, self.text.width))

    def save(self, path: Path) -> None:
        """Writes one safetensors file, whole or not at all."""
        tensors = {f"image.{name}": tensor for name, tensor in self.image.state_dict().items()}
        tensors |= {f"text.{name}": tensor for name, tensor in self.text.state_dict().items()}
        tensors["reference"] = self.reference
        facts = {
            "width": self.image.width,
            "settings": asdict(self.settings),
            "history": [asdict(record) for record in self.history],
            "chosen": self.chosen,
        }
        write_tensors(Path(path), tensors, FORMAT, facts)


def load(path: Path) -> ProbVLM:
    """Reads what :meth:`ProbVLM.save` wrote. Raises UserError for a file that is not there or not one."""
    tensors, facts = read_tensors(Path(path), FORMAT, "a ProbVLM", "train it again")
    try:
        settings = Settings(**facts["settings"])
        image, text = (
            _loaded_head(int(facts["width"]), settings, tensors, prefix) for prefix in ("image.", "text.")
        )
        history = tuple(EpochRecord(**record) for record in facts["history"])
        return ProbVLM(image, text, settings, history, int(facts["chosen"]), tensors["reference"])
    except (KeyError, ValueError, TypeError, RuntimeError, UserError) as error:
        raise UserError(f"{path} is damaged ({error}); train it again") from error


def new_head(width: int, settings: Settings, generator: torch.Generator) -> Head:
    """An untrained head."""
    return Head(width, settings.hidden, settings.layers, settings.dropout, generator)


def _loaded_head(width: int, settings: Settings, tensors: dict[str, Tensor], prefix: str) -> Head:
    head = new_head(width, settings, torch.Generator())  # every drawn weight is replaced
    head.load_state_dict(
        {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
    )
    return head.requires_grad_(False)


@torch.no_grad()
def _embed(head: Head, z: Tensor, generator: torch.Generator, passes: int) -> ProbEmbedding:
    z = _checked(z, head.width)
    if passes < 2:
        raise UserError(f"a variance needs at least 2 passes, got {passes}")
    if not len(z):
        return ProbEmbedding(z, z, z)  # every shape is [0, D]
    masks = [head.masks(1, generator) for _ in range(passes)]
    parts = []
    for rows in z.split(CHUNK):
        steady = head(rows)
        means = torch.stack([head(rows, mask).mean for mask in masks])  # [passes, rows, D]
        parts.append((steady.mean, steady.variance(), means.var(0)))
    mean, aleatoric, epistemic = (torch.cat(part) for part in zip(*parts, strict=True))
    return ProbEmbedding(mean, aleatoric, epistemic)


def _checked(z: Tensor, width: int) -> Tensor:
    if z.dim() != 2 or z.shape[1] != width:
        raise UserError(
            f"embeddings must be [N, {width}], got {tuple(z.shape)}: use the encoder it was trained on"
        )
    if not bool(torch.isfinite(z).all()):
        raise UserError("embeddings must be finite: an image was not encoded rightly, embed the pool again")
    return z.float()
