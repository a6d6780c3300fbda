"""Tiny models of transformers with seeded random weights, saved as folders; their tokenizers are made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from probal.encoders._torchvision import make_torchvision_importable

IMAGE, WIDTH = 32, 10
WORDS = [
    "a",
    "an",
    "the",
    "cat",
    "dog",
    "photo",
    "of",
    "rather",
    "long",
    "red",
    "bicycle",
    "wall",
    "t",
    "-",
    "7",
    ".",
]
LAYERS = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
VISION = {**LAYERS, "image_size": IMAGE, "patch_size": 8}


def tokenizer(specials: list[str], start: str | None, end: str, **named: str) -> Any:
    """A fast tokenizer that knows WORDS, adds start and end, and pads."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {word: i for i, word in enumerate([*specials, *WORDS])}
    made = Tokenizer(models.WordLevel(ids, unk_token=named["unk_token"]))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    template = f"{start} $A {end}" if start else f"$A {end}"
    made.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(word, ids[word]) for word in (start, end) if word]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, **named)


def clip(folder: Path) -> Any:
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    text = {**LAYERS, "vocab_size": 64, "max_position_embeddings": 20, "eos_token_id": 1, "bos_token_id": 0}
    config = CLIPConfig(text_config=text, vision_config=VISION, projection_dim=WIDTH)
    CLIPImageProcessorPil(
        size={"shortest_edge": IMAGE}, crop_size={"height": IMAGE, "width": IMAGE}
    ).save_pretrained(folder)
    tokenizer(
        ["<s>", "</s>", "<unk>"],
        "<s>",
        "</s>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        unk_token="<unk>",
    ).save_pretrained(folder)
    return CLIPModel(config)


def siglip(folder: Path) -> Any:
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    text = {**LAYERS, "vocab_size": 64, "max_position_embeddings": 64, "projection_size": 16}
    config = SiglipConfig(text_config=text, vision_config=VISION)
    SiglipImageProcessorPil(size={"height": IMAGE, "width": IMAGE}).save_pretrained(folder)
    tokenizer(
        ["<pad>", "</s>", "<unk>"], None, "</s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)
    return SiglipModel(config)


def blip(folder: Path) -> Any:
    from transformers import BlipConfig, BlipForImageTextRetrieval, BlipImageProcessorPil

    text = {
        **LAYERS,
        "vocab_size": 64,
        "max_position_embeddings": 40,
        "encoder_hidden_size": 16,
        "pad_token_id": 0,
    }
    config = BlipConfig(text_config=text, vision_config=VISION, image_text_hidden_size=WIDTH)
    BlipImageProcessorPil(size={"height": IMAGE, "width": IMAGE}).save_pretrained(folder)
    tokenizer(
        ["[PAD]", "[CLS]", "[SEP]", "[UNK]"],
        "[CLS]",
        "[SEP]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
    ).save_pretrained(folder)
    return BlipForImageTextRetrieval(config)


MAKERS = {"clip": clip, "siglip": siglip, "blip": blip}


def save(kind: str, folder: Path, seed: int = 0) -> Path:
    """Writes model, image processor and tokenizer into `folder`."""
    make_torchvision_importable()
    model = MAKERS[kind](folder)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator) * 0.2
            parameter.copy_(torch.tensor(3.0) if name == "logit_scale" else drawn)
    model.save_pretrained(folder)
    return folder
