"""Towers of open_clip taken apart before their last linear map.

No hooks, which batches in several threads would share: a body is a copy of the tower's modules that shares every
weight, with the last map left out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

_TOLERANCE = 1e-4  # of the largest entry; float32 through two differently ordered sums


@dataclass(frozen=True, eq=False)
class Split:
    """A tower `inputs -> W a + b + r` as its body and its last map."""

    body: Callable[[Tensor], Tensor]
    """Inputs to `a`, or `[a | r]` if `residual`: [B, P] or [B, P + D]."""
    weight: Tensor  # [D, P]
    bias: Tensor | None = None  # [D]
    residual: bool = False

    def rebuilds(self, inputs: Tensor, embeddings: Tensor) -> bool:
        """Whether `W a + b + r` gives the tower's own embeddings [B, D] of the inputs."""
        out = self.body(inputs)
        split = self.weight.shape[1]
        if out.dim() != 2 or out.shape[1] != split + self.residual * self.weight.shape[0]:
            return False
        rebuilt = nn.functional.linear(out[:, :split], self.weight, self.bias)
        if self.residual:
            rebuilt = rebuilt + out[:, split:]
        if rebuilt.shape != embeddings.shape:
            return False
        return bool((rebuilt - embeddings).abs().max() <= _TOLERANCE * embeddings.abs().max())


def split_image_tower(model: Any) -> Split | None:
    """The image tower of an open_clip model; None where no linear map is known at its end."""
    visual = model.visual
    if isinstance(proj := getattr(visual, "proj", None), nn.Parameter):  # open_clip's ViT: pooled @ proj
        return Split(_first(without(visual, "proj", None)), proj.detach().mT)
    if (layer := _linear(visual, "attnpool.c_proj")) is not None:
        return _split(visual, "attnpool.c_proj", layer, _unit_weight(layer.in_features))
    if getattr(visual, "trunk", None) is None:
        return None
    for path in ("head.proj", "head.mlp.fc2"):
        if (layer := _linear(visual, path)) is not None:
            return _split(visual, path, layer)
    classifier = visual.trunk.get_classifier()
    for path, module in visual.named_modules():
        if module is classifier and isinstance(module, nn.Linear):
            return _split(visual, path, module)
    if (layer := _linear(visual, "trunk.attn_pool.mlp.fc2")) is not None:
        return _split_attention_pool(visual, layer)
    return None


def split_text_tower(model: Any) -> Split | None:
    """The text tower of an open_clip model; None where no linear map is known at its end."""
    tower = getattr(model, "text", None)
    owner = model if tower is None else tower
    proj = getattr(owner, "text_projection", None)
    if isinstance(proj, (nn.Parameter, nn.Linear)):
        body = without(owner, "text_projection", None)
        run = body.encode_text if tower is None else body
        if isinstance(proj, nn.Linear):
            return Split(_first(run), proj.weight.detach(), _detached(proj.bias))
        return Split(_first(run), proj.detach().mT)
    proj = getattr(owner, "proj", None)  # towers of transformers
    path = f"proj.{len(proj) - 1}" if isinstance(proj, nn.Sequential) else "proj"
    layer = _linear(owner, path)
    return None if layer is None else _split(owner, path, layer)


def without(module: nn.Module, path: str, instead: nn.Module | None) -> Any:
    """A copy of `module` with `instead` at the dotted path; all else is shared, the original is left alone."""
    twin = copy.copy(module)
    twin.__dict__["_modules"] = dict(module._modules)
    twin.__dict__["_parameters"] = dict(module._parameters)
    name, _, rest = path.partition(".")
    if rest:
        instead = without(cast(nn.Module, module._modules[name]), rest, instead)
    twin.__dict__["_parameters" if name in module._parameters else "_modules"][name] = instead
    return twin


def _split(tower: nn.Module, path: str, layer: nn.Linear, instead: nn.Module | None = None) -> Split:
    body = without(tower, path, instead or nn.Identity())
    return Split(_first(body), layer.weight.detach(), _detached(layer.bias))


def _split_attention_pool(visual: Any, layer: nn.Linear) -> Split:
    """SigLIP: the pool ends in `r + fc2(a(norm(r)))`, r the attended token."""
    pool = visual.trunk.attn_pool
    attend, inner = without(visual, "trunk.attn_pool.mlp", None), without(pool.mlp, "fc2", nn.Identity())

    def body(images: Tensor) -> Tensor:
        residual = attend(images)
        return torch.cat([inner(pool.norm(residual)), residual], 1)

    return Split(body, layer.weight.detach(), _detached(layer.bias), residual=True)


def _unit_weight(width: int) -> nn.Module:
    """In place of a layer whose weight is read without a call, as CLIP's ResNet does."""
    unit = nn.Identity()
    unit.weight = nn.Parameter(torch.eye(width), requires_grad=False)
    unit.register_parameter("bias", None)
    return unit


def _linear(module: Any, path: str) -> nn.Linear | None:
    for name in path.split("."):
        module = getattr(module, name, None)
    return module if isinstance(module, nn.Linear) else None


def _detached(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach()


def _first(run: Callable[[Tensor], Any]) -> Callable[[Tensor], Tensor]:
    """CoCa's towers give tokens as well."""

    def body(inputs: Tensor) -> Tensor:
        out = run(inputs)
        return cast(Tensor, out[0] if isinstance(out, tuple) else out)

    return body
