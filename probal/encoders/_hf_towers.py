"""transformers' CLIP, SigLIP and BLIP taken apart before their last linear maps; see `_towers` for how."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from probal.encoders._towers import Split, without

BLIP_SCALE = 1 / 0.07
"""BLIP's contrastive temperature starts there; transformers' checkpoints leave out the trained one."""


class HFTowers(ABC):
    """The embeddings of one architecture, and its two towers before their last maps."""

    def __init__(self, model: Any, pad_id: int) -> None:
        self.model = model
        self.pad_id = pad_id

    @property
    def scale(self) -> float:
        """The trained logit scale."""
        return float(self.model.logit_scale.detach().exp())

    @property
    def logit_bias(self) -> float | None:
        """Of a model with a Bernoulli for each pair; None for a softmax over a batch."""
        return None

    @abstractmethod
    def image(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] to embeddings [B, D]."""

    @abstractmethod
    def text(self, tokens: Tensor) -> Tensor:
        """[C, T] to embeddings [C, D]."""

    @abstractmethod
    def split_image(self) -> Split | None:
        """None where the tower does not end in a linear map."""

    @abstractmethod
    def split_text(self) -> Split | None:
        """None where the tower does not end in a linear map."""


class CLIPTowers(HFTowers):
    """Pooled token, then a projection without bias, in both towers."""

    def image(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.model.visual_projection(self._pooled_image(pixels))
        return out

    def text(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.model.text_projection(self._pooled_text(tokens))
        return out

    def split_image(self) -> Split:
        return Split(self._pooled_image, self.model.visual_projection.weight.detach())

    def split_text(self) -> Split:
        return Split(self._pooled_text, self.model.text_projection.weight.detach())

    def _pooled_image(self, pixels: Tensor) -> Tensor:
        pooled: Tensor = self.model.vision_model(pixel_values=pixels).pooler_output
        return pooled

    def _pooled_text(self, tokens: Tensor) -> Tensor:
        # what stands behind the end of a text does not reach it: attention is causal
        pooled: Tensor = self.model.text_model(input_ids=tokens).pooler_output
        return pooled


class SigLIPTowers(HFTowers):
    """Images end in an attention pool `r + fc2(a(norm(r)))`, texts in a linear head with a bias."""

    @property
    def logit_bias(self) -> float | None:
        return float(self.model.logit_bias.detach())

    def image(self, pixels: Tensor) -> Tensor:
        pooled: Tensor = self.model.vision_model(pixel_values=pixels).pooler_output
        return pooled

    def text(self, tokens: Tensor) -> Tensor:
        pooled: Tensor = self.model.text_model(input_ids=tokens).pooler_output
        return pooled

    def split_image(self) -> Split | None:
        vision = self.model.vision_model
        head = getattr(vision, "head", None)
        if head is None:
            return None
        twin = without(vision, "head", _PoolParts(head))
        layer = head.mlp.fc2

        def body(pixels: Tensor) -> Tensor:
            parts: Tensor = twin(pixel_values=pixels).pooler_output
            return parts

        return Split(body, layer.weight.detach(), layer.bias.detach(), residual=True)

    def split_text(self) -> Split:
        layer = self.model.text_model.head
        twin = without(self.model.text_model, "head", nn.Identity())

        def body(tokens: Tensor) -> Tensor:
            pooled: Tensor = twin(input_ids=tokens).pooler_output
            return pooled

        return Split(body, layer.weight.detach(), layer.bias.detach())


class BLIPTowers(HFTowers):
    """First tokens through projections with a bias: the contrastive head, not the matching one."""

    @property
    def scale(self) -> float:
        return BLIP_SCALE

    def image(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.model.vision_proj(self._first_patch(pixels))
        return out

    def text(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.model.text_proj(self._first_token(tokens))
        return out

    def split_image(self) -> Split:
        layer = self.model.vision_proj
        return Split(self._first_patch, layer.weight.detach(), layer.bias.detach())

    def split_text(self) -> Split:
        layer = self.model.text_proj
        return Split(self._first_token, layer.weight.detach(), layer.bias.detach())

    def _first_patch(self, pixels: Tensor) -> Tensor:
        hidden: Tensor = self.model.vision_model(pixel_values=pixels).last_hidden_state
        return hidden[:, 0]

    def _first_token(self, tokens: Tensor) -> Tensor:
        mask = torch.ne(tokens, self.pad_id).long()
        hidden: Tensor = self.model.text_encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        return hidden[:, 0]


class _PoolParts(nn.Module):
    """SigLIP's attention pool that gives `[a | r]` [B, P + D] in place of `r + fc2(a)`."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.head = head

    def forward(self, hidden: Tensor) -> Tensor:
        head = self.head
        probe = head.probe.expand(len(hidden), -1, -1)
        residual = head.attention(probe, hidden, hidden)[0][:, 0]  # [B, D]
        inner = head.mlp.activation_fn(head.mlp.fc1(head.layernorm(residual)))  # [B, P]
        return torch.cat([inner, residual], 1)
