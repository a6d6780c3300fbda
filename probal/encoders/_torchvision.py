"""Makes torchvision importable beside a torch that it was not built for, as PyPI's is beside a CPU build.

Its Python side registers shapes for two operators of its compiled side and fails to import where that does
not load (`operator torchvision::nms does not exist`). timm, open_clip and transformers import it for its
image transforms only, which need no compiled operator; so declaring the two is enough.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_lock = threading.Lock()
_library: Any = None  # the declarations live as long as this object


def make_torchvision_importable() -> bool:
    """Declares torchvision's operators if it cannot load its own. Call before importing timm and the like.

    Returns whether anything was declared, now or earlier: False where torchvision is absent, works, or was
    imported already.
    """
    global _library
    with _lock:
        if _library is None and "torchvision" not in sys.modules and not _loads_own_operators():
            import torch

            library = torch.library.Library("torchvision", "DEF")
            for schema in _OPERATORS:
                library.define(schema)
            _library = library
        return _library is not None


def _loads_own_operators() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # nothing to mend
    import torch

    folder = Path(spec.origin).parent
    for suffix in EXTENSION_SUFFIXES:
        extension = folder / f"_C{suffix}"
        if extension.exists():
            try:
                torch.ops.load_library(str(extension))  # what torchvision does itself
            except OSError:
                return False
            return True
    return False
