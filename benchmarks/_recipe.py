"""The recipe of the BayesAdapter paper (arXiv 2412.09718), to time and to compare with; the product does not use it.

As its code has it (a public re-implementation that says it follows the authors'): a Gaussian with a mean [C,D] and
one standard deviation per class in the space of the text features before they are normalized; prior at the text
features with standard deviation 0.01; 3 samples in training and 10 in testing; SGD as in CLAP (300 epochs, batches of
256, learning rate 0.1 on a cosine after one epoch at 1e-5, momentum 0.9, weight decay 5e-4). Its KL lacks the ½ and
the constant and is weighted by a ramp up to 1/(1000·C·D): not the bound that the paper writes.

Left out, because the vectors come without images: CLAP's augmented views of each image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

PRIOR_DEVIATION = 0.01
TEXT_NORM = 10.0
"""Length of CLIP ViT-B/32's text features, about: the shared vectors are of length 1 and are brought back to it."""
EPOCHS, BATCH, TRAIN_SAMPLES, TEST_SAMPLES = 300, 256, 3, 10
LEARNING_RATE, WARM_UP_RATE, MOMENTUM, WEIGHT_DECAY = 0.1, 1e-5, 0.9, 5e-4


@dataclass(frozen=True)
class RecipePosterior:
    """Mean [C,D] and one standard deviation per class [C], before normalizing."""

    mean: Tensor
    deviation: Tensor
    scale: float

    def predictive(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Mean softmax over `TEST_SAMPLES` draws, [N,C], of unit rows x [N,D]."""
        draws = [_logits(self.mean, self.deviation, x, self.scale, generator) for _ in range(TEST_SAMPLES)]
        return torch.stack([torch.softmax(each, 1) for each in draws]).mean(0)


def fit_recipe(
    x: Tensor, y: Tensor, prototypes: Tensor, scale: float, generator: torch.Generator, epochs: int = EPOCHS
) -> RecipePosterior:
    """Train on unit rows x [n,D] and y [n] around prototypes [C,D]; zero prototypes start at random, as CLAP's do."""
    classes, width = prototypes.shape
    if bool(prototypes.any()):
        centre = TEXT_NORM * prototypes
    else:
        centre = torch.randn(classes, width, generator=generator) * math.sqrt(2 / width)  # Kaiming
    mean = centre.clone().requires_grad_()
    log_deviation = torch.full((classes,), math.log(PRIOR_DEVIATION)).requires_grad_()
    optimizer = torch.optim.SGD(
        [mean, log_deviation], lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = learning_rate(epoch, epochs)
        ramp = (epoch + 1) / epochs / (1000 * classes * width)
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            deviation = log_deviation.exp()
            loss = ramp * papers_kl(mean, deviation, centre)
            for _ in range(TRAIN_SAMPLES):
                logits = _logits(mean, deviation, x[rows], scale, generator)
                loss = loss + torch.nn.functional.cross_entropy(logits, y[rows]) / TRAIN_SAMPLES
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return RecipePosterior(mean.detach(), log_deviation.detach().exp(), scale)


def learning_rate(epoch: int, epochs: int) -> float:
    """CLAP's schedule: one epoch at a constant small rate, then a cosine to zero."""
    if epoch == 0:
        return WARM_UP_RATE
    return 0.5 * LEARNING_RATE * (1 + math.cos(math.pi * epoch / epochs))


def papers_kl(mean: Tensor, deviation: Tensor, centre: Tensor) -> Tensor:
    """As the code has it: Σ_c of twice KL(N(mean_c, σ_c² I) ‖ N(centre_c, 0.01² I)), less the constant."""
    width = mean.shape[1]
    ratio = (deviation / PRIOR_DEVIATION).square()  # [C]
    moved = (mean - centre).square().sum(1) / PRIOR_DEVIATION**2  # [C]
    return (width * ratio + moved - width * ratio.log()).sum()


def _logits(mean: Tensor, deviation: Tensor, x: Tensor, scale: float, generator: torch.Generator) -> Tensor:
    """Cosines times scale of one draw of all prototypes, [N,C]."""
    noise = torch.randn(mean.shape, generator=generator)
    drawn = mean + deviation.unsqueeze(1) * noise
    return scale * x @ (drawn / drawn.norm(dim=1, keepdim=True)).T
