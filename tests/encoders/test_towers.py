"""Text towers of transformers, whose tokenizers are not at hand, and the copy that leaves its original alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from probal.encoders._torchvision import make_torchvision_importable
from probal.encoders._towers import split_text_tower, without

pytestmark = pytest.mark.embedded  # open_clip and transformers come with that extra


def hf_tower(folder: Path, proj: str | None, width: int) -> Any:
    make_torchvision_importable()
    from open_clip.hf_model import HFTextEncoder
    from transformers import RobertaConfig

    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 20}
    RobertaConfig(vocab_size=50, hidden_size=16, **sizes).save_pretrained(folder)
    torch.manual_seed(0)
    return HFTextEncoder(
        str(folder), width, proj_type=proj, pooler_type="mean_pooler", pretrained=False
    ).eval()


@pytest.mark.parametrize(("proj", "columns"), [("linear", 16), ("mlp", (16 + 10) // 2)])
def test_a_text_tower_of_transformers(proj: str, columns: int, tmp_path: Path) -> None:
    tower = hf_tower(tmp_path, proj, 10)
    split = split_text_tower(SimpleNamespace(text=tower))
    tokens = torch.randint(2, 50, (3, 7), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert split is not None
        assert split.weight.shape == (10, columns)
        assert split.body(tokens).shape == (3, columns)
        assert split.rebuilds(tokens, tower(tokens))
        assert not split.rebuilds(tokens, tower(tokens) + 0.01)
        assert not split.rebuilds(tokens, tower(tokens)[:, :9])


def test_a_text_tower_without_a_projection(tmp_path: Path) -> None:
    assert split_text_tower(SimpleNamespace(text=hf_tower(tmp_path, None, 16))) is None


def test_without_shares_all_else_and_leaves_the_original() -> None:
    inner = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 5))
    whole = torch.nn.Sequential(inner, torch.nn.ReLU())
    twin = without(whole, "0.1", torch.nn.Identity())
    x = torch.ones(2, 3)
    assert twin(x).shape == (2, 4)
    assert whole(x).shape == (2, 5)
    assert twin[0][0] is inner[0]
    torch.testing.assert_close(twin(x), inner[0](x).relu())
