"""Training: seeded minibatches, AdamW with a cosine schedule per step, and a choice by held-out uncertainty.

arXiv 2307.00398 gives the loss. The epoch is chosen by held-out likelihood and calibration, never by how close
the means are: a head with the best mean can have any variance.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probal.errors import UserError
from probal.probvlm.calibration import calibration_error, pair_coverage
from probal.probvlm.density import GeneralizedGaussian
from probal.probvlm.heads import Head
from probal.probvlm.loss import pair_loss
from probal.probvlm.model import EpochRecord, ProbVLM, Settings, new_head

MOST_GRADIENT = 1.0
"""Largest norm of a step's gradient."""
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Pairs:
    """n images and what was said of each, as frozen embeddings of one joint space; at least 8.

    (image, caption) or (labeled image, class prompt): a prompt is repeated for each of its images. Raises
    UserError for shapes that do not fit or values that are not finite.
    """

    images: Tensor  # [n, D]
    texts: Tensor  # [n, D]

    def __post_init__(self) -> None:
        if self.images.dim() != 2 or self.images.shape != self.texts.shape:
            raise UserError(
                f"images and texts must be pairs [n, D], got {tuple(self.images.shape)} and {tuple(self.texts.shape)}"
            )
        if len(self.images) < 8:
            raise UserError(
                f"ProbVLM needs at least 8 pairs to train and to check on, got {len(self.images)}"
            )
        for name in ("images", "texts"):
            value = getattr(self, name).float()
            if not bool(torch.isfinite(value).all()):
                raise UserError(f"the {name} of the pairs must be finite: embed them again")
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self.images[index], self.texts[index]


def train(
    pairs: Pairs, settings: Settings, generator: torch.Generator, progress: Report | None = None
) -> ProbVLM:
    """Trains both heads on the pairs and returns them frozen, at the epoch that :func:`choose_epoch` prefers.

    `generator` draws the split, the weights, the batches and the dropout: the same one gives the same model.
    `progress(done, total, what)` is called after each epoch. Raises FloatingPointError at the first loss that is
    not finite, UserError where nothing can be held out.
    """
    kept, held = split(pairs, settings, generator)
    width = pairs.images.shape[1]
    image, text = (new_head(width, settings, generator) for _ in range(2))
    image.measure(*pairs.rows(kept))
    text.measure(*reversed(pairs.rows(kept)))
    parameters = [*image.parameters(), *text.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    steps = settings.epochs * -(-len(kept) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    history: list[EpochRecord] = []
    states: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
    for epoch in range(settings.epochs):
        losses = []
        for batch in kept[torch.randperm(len(kept), generator=generator)].split(settings.batch_size):
            z_image, z_text = pairs.rows(batch)
            of_image = image(z_image, image.masks(len(batch), generator))
            of_text = text(z_text, text.masks(len(batch), generator))
            loss = pair_loss(of_image, of_text, z_image, z_text, settings.cross_weight).total().mean()
            if not bool(torch.isfinite(loss)):
                raise FloatingPointError(
                    f"ProbVLM's loss is {loss.item()} in epoch {epoch + 1}: lower learning_rate"
                )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, MOST_GRADIENT, error_if_nonfinite=True)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        record = _held_out(image, text, *pairs.rows(held), settings, float(schedule.get_last_lr()[0]), losses)
        history.append(record)
        states.append((copy.deepcopy(image.state_dict()), copy.deepcopy(text.state_dict())))
        if progress:
            progress(epoch + 1, settings.epochs, f"ProbVLM: held-out NLL {record.nll:.3f} per dimension")
        best = min(range(len(history)), key=lambda i: history[i].nll)
        if len(history) - 1 - best >= settings.patience:
            break
    chosen = choose_epoch(history)
    image.load_state_dict(states[chosen][0])
    text.load_state_dict(states[chosen][1])
    image.requires_grad_(False)
    text.requires_grad_(False)
    reference = image(pairs.images[held]).variance().mean(1).sort().values
    return ProbVLM(image, text, settings, tuple(history), chosen, reference)


def split(pairs: Pairs, settings: Settings, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Indices to train on and indices held out, disjoint and together all pairs.

    With `held_out_texts` no held-out text is trained on. UserError where that leaves one side empty.
    """
    if settings.held_out_texts:
        group = torch.unique(pairs.texts, dim=0, return_inverse=True)[1]  # [n]
    else:
        group = torch.arange(len(pairs))
    groups = int(group.max()) + 1
    if groups < 2:
        raise UserError("all pairs share one text, so no text can be held out: set held_out_texts to false")
    n_held = min(max(1, round(settings.held_out * groups)), groups - 1)
    is_held = torch.zeros(groups, dtype=torch.bool)
    is_held[torch.randperm(groups, generator=generator)[:n_held]] = True
    held = is_held[group]
    return (~held).nonzero()[:, 0], held.nonzero()[:, 0]


def choose_epoch(history: Sequence[EpochRecord]) -> int:
    """The best calibrated epoch of those whose held-out NLL is within one standard error of the smallest."""
    best = min(history, key=lambda record: record.nll)
    near = [i for i, record in enumerate(history) if record.nll <= best.nll + best.nll_error]
    return min(near, key=lambda i: history[i].calibration_error)


@torch.no_grad()
def _held_out(
    image: Head,
    text: Head,
    z_image: Tensor,
    z_text: Tensor,
    settings: Settings,
    learning_rate: float,
    losses: list[float],
) -> EpochRecord:
    # in float64: a far pair under a box-like density, (r/α)^16, overflows float32, and is only a bad epoch
    of_image, of_text = _double(image(z_image)), _double(text(z_text))
    z_image, z_text = z_image.double(), z_text.double()
    total = pair_loss(of_image, of_text, z_image, z_text, settings.cross_weight).total()  # [m]
    if not bool(torch.isfinite(total).all()):
        raise FloatingPointError("ProbVLM's held-out likelihood is not finite: lower learning_rate")
    m = len(total)
    found = pair_coverage(of_image, of_text, z_image, z_text, settings.cross_weight)
    return EpochRecord(
        learning_rate=learning_rate,
        training_loss=sum(losses) / len(losses),
        nll=float(total.mean()),
        nll_error=float(total.var(correction=min(1, m - 1)).div(m).sqrt()),
        calibration_error=calibration_error(found),
        mean_error=float((of_image.mean - z_text).square().mean().sqrt()),
    )


def _double(density: GeneralizedGaussian) -> GeneralizedGaussian:
    return GeneralizedGaussian(density.mean.double(), density.alpha.double(), density.beta.double())
