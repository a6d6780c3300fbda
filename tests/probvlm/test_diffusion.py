"""Latent diffusion from samples of an embedding, on a tiny pipeline of random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probal.encoders import make_torchvision_importable
from probal.errors import UserError
from probal.probvlm import GeneralizedGaussian
from probal.probvlm.diffusion import variations
from probal.session.distribution_pictures import contact_sheet, load_pipeline

make_torchvision_importable()
pytest.importorskip("diffusers", reason="needs the extra diffusion")
pytest.importorskip("transformers", reason="needs the extra diffusion")

D, SIDE = 6, 16


@pytest.fixture(scope="module")
def pipeline():
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionImageVariationPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            sample_size=SIDE // 2,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=D,
            attention_head_dim=2,
            norm_num_groups=4,
        )
        vae = AutoencoderKL(
            block_out_channels=[8, 16],
            down_block_types=["DownEncoderBlock2D"] * 2,
            up_block_types=["UpDecoderBlock2D"] * 2,
            latent_channels=4,
            norm_num_groups=4,
        )
        tower = CLIPVisionConfig(
            hidden_size=8,
            projection_dim=D,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
            image_size=SIDE,
            patch_size=8,
        )
        encoder = CLIPVisionModelWithProjection(tower)
    return StableDiffusionImageVariationPipeline(
        vae=vae,
        image_encoder=encoder,
        unet=unet,
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=CLIPImageProcessor(size=SIDE, crop_size=SIDE),
        requires_safety_checker=False,
    )


def draw(
    pipeline, spread: float, k: int = 3, seed: int = 0, z: torch.Tensor | None = None
) -> list[np.ndarray]:
    z = torch.nn.functional.normalize(torch.arange(1.0, D + 1)[None]) if z is None else z
    density = GeneralizedGaussian(torch.zeros_like(z), torch.full_like(z, spread), torch.full_like(z, 2.0))
    generator = torch.Generator().manual_seed(seed)
    pictures = variations(density, z, 10.0, pipeline, k, generator, steps=2)
    return [np.asarray(picture, np.float64) for picture in pictures]


def test_one_picture_of_the_embedding_and_one_a_sample(pipeline):
    found = draw(pipeline, 0.5)
    assert [each.shape for each in found] == [(SIDE, SIDE, 3)] * 4
    assert np.ptp([each.mean() for each in found]) > 0


def test_a_narrow_distribution_gives_the_picture_of_the_embedding(pipeline):
    first, *samples = draw(pipeline, 1e-7)
    for sample in samples:
        np.testing.assert_allclose(sample, first, atol=1.0)  # the noise is shared: nothing else differs
    wide = draw(pipeline, 0.5)
    assert np.abs(wide[1] - wide[0]).max() > 1


def test_the_same_seed_gives_the_same_pictures_and_no_global_one_is_touched(pipeline):
    before = torch.random.get_rng_state()
    first, second = draw(pipeline, 0.5, seed=4), draw(pipeline, 0.5, seed=4)
    np.testing.assert_array_equal(first, second)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_callers_pipeline_keeps_its_image_encoder(pipeline):
    encoder = pipeline.image_encoder
    draw(pipeline, 0.5, k=1)
    assert pipeline.image_encoder is encoder


def test_the_embedding_of_another_width_is_refused(pipeline):
    with pytest.raises(UserError, match=r"reads embeddings of width 6, the project's encoder gives 4"):
        draw(pipeline, 0.5, z=torch.eye(4)[:1])


def test_a_saved_pipeline_is_read_back_and_a_folder_without_one_refused(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "tiny")
    found = draw(load_pipeline(str(tmp_path / "tiny")), 0.5)
    np.testing.assert_allclose(found, draw(pipeline, 0.5), atol=1.0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no image-variation pipeline at"):
        load_pipeline(str(tmp_path / "empty"))


def test_a_contact_sheet_holds_every_tile(pipeline):
    density = GeneralizedGaussian(torch.zeros(1, D), torch.ones(1, D), torch.full((1, D), 2.0))
    generator = torch.Generator().manual_seed(0)
    pictures = variations(density, torch.eye(D)[:1], 1.0, pipeline, 6, generator, steps=1)
    one, two = (
        contact_sheet([(each, "x") for each in part], columns=5) for part in (pictures[:5], pictures[:6])
    )
    assert one.width == two.width
    assert two.height > 1.9 * one.height
