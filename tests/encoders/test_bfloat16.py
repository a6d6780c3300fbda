"""The image tower in bfloat16: nearly the same vectors, exactly the same last layer, another fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_conformance import TEXTS, pictures
from hf_checkpoints import MAKERS, save

from probal.encoders import check_encoder_id, embeddings_of, load_encoder
from probal.encoders._two_towers import BFLOAT16

pytestmark = pytest.mark.embedded  # transformers and open_clip come with that extra


@pytest.fixture(scope="module", params=[*MAKERS, "open_clip"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The same model in float32 and in bfloat16."""
    folder = tmp_path_factory.mktemp("bfloat16")
    if request.param == "open_clip":
        from test_open_clip import CONFIG, MODEL
        from test_open_clip import save as save_open_clip

        encoder_id = f"open_clip:{MODEL}/{open_clip_checkpoint(folder, MODEL, CONFIG, save_open_clip)}"
    else:
        encoder_id = f"hf:{save(request.param, folder)}"
    check_encoder_id(encoder_id + BFLOAT16)
    return load_encoder(encoder_id), load_encoder(encoder_id + BFLOAT16)


def open_clip_checkpoint(folder: Path, model: str, config: dict[str, Any], save_open_clip: Any) -> Path:
    import json

    from probal.encoders._torchvision import make_torchvision_importable

    make_torchvision_importable()
    import open_clip

    (folder / f"{model}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{model}.json")
    path: Path = save_open_clip(folder / "weights.pt", seed=0)
    return path


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_vectors_point_the_same_way(pair: tuple[Any, Any]) -> None:
    full, half = pair
    one, other = full.encode_images(pictures()), half.encode_images(pictures())
    assert other.dtype == np.float32
    assert cosines(one, other).min() >= 0.999
    assert np.abs(one - other).max() > 0, "bfloat16 was not used"
    np.testing.assert_array_equal(full.encode_texts(TEXTS), half.encode_texts(TEXTS))
    np.testing.assert_array_equal(
        full.encode_text_activations(TEXTS).values, half.encode_text_activations(TEXTS).values
    )


def test_the_last_layer_stays_in_float32(pair: tuple[Any, Any]) -> None:
    full, half = pair
    np.testing.assert_array_equal(full.image_projection().weight, half.image_projection().weight)
    batch = np.stack([half.prepare(image) for image in pictures()])
    found = half.encode_activations(batch)
    np.testing.assert_array_equal(embeddings_of(half.image_projection(), found), half.encode_prepared(batch))
    assert cosines(full.encode_activations(batch).values, found.values).min() >= 0.999


def test_the_vectors_are_kept_apart(pair: tuple[Any, Any]) -> None:
    full, half = pair
    assert half.id == full.id + BFLOAT16
    assert half.fingerprint != full.fingerprint
