"""The objective keeps all four likelihoods."""

import torch

from probal.probvlm.density import GeneralizedGaussian
from probal.probvlm.loss import pair_loss


def world():
    g = torch.Generator().manual_seed(0)
    draw = lambda: torch.rand(6, 4, generator=g, dtype=torch.float64)  # noqa: E731
    image, text = (GeneralizedGaussian(draw(), 0.2 + draw(), 0.7 + draw()) for _ in range(2))
    return image, text, draw(), draw()


def test_total_is_both_intra_and_lambda_times_both_cross():
    image, text, z_image, z_text = world()
    loss = pair_loss(image, text, z_image, z_text, 0.3)
    for i in range(6):
        row = [
            weight * sum(float(density.nll(z)[i, d]) for d in range(4)) / 4
            for weight, density, z in (
                (1.0, image, z_image),
                (1.0, text, z_text),
                (0.3, image, z_text),
                (0.3, text, z_image),
            )
        ]
        torch.testing.assert_close(float(loss.total()[i]), sum(row))


def test_each_head_learns_from_both_modalities():
    """The paper's code overwrites the cross-modal loss of one direction."""
    image, text, z_image, z_text = world()
    for density in (image, text):
        density.mean.requires_grad_()
    for weight in (0.5, 2.0):
        for own, other, z_own, z_other in ((image, text, z_image, z_text), (text, image, z_text, z_image)):
            total = pair_loss(own, other, z_own, z_other, weight).total().sum()
            (found,) = torch.autograd.grad(total, own.mean)
            (intra,) = torch.autograd.grad(own.nll(z_own).mean(1).sum(), own.mean)
            (cross,) = torch.autograd.grad(own.nll(z_other).mean(1).sum(), own.mean)
            assert cross.abs().min() > 0
            torch.testing.assert_close(found, intra + weight * cross)
