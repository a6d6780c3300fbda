from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

C, D = 4, 16


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """300 images of four overlapping classes with noisy class texts."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(C, D))
    y = rng.integers(0, C, 300)
    x = (centres[y] + rng.normal(size=(300, D))).astype(np.float16)
    return {"x": x, "y": y, "text_x": (centres + 2 * rng.normal(size=(C, D))).astype(np.float16)}


@pytest.fixture
def path(arrays: dict[str, np.ndarray], tmp_path: Path) -> Path:
    np.savez(tmp_path / "set.npz", **arrays)
    return tmp_path / "set.npz"


def silent(done: int, total: int, message: str) -> None:
    pass
