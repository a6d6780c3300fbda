"""The benchmarks are scripts beside each other: their folder goes on the path as it does when one of them is run."""

import sys
from pathlib import Path

import numpy as np
import pytest

from probal.simulate import Source

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.fixture
def source() -> Source:
    """400 images of 4 classes without texts."""
    rng = np.random.default_rng(0)
    centres, y = 2 * rng.normal(size=(4, 12)), rng.integers(0, 4, 400)
    x = (centres[y] + 1.5 * rng.normal(size=(400, 12))).astype(np.float32)
    return Source("s", "e", ("a", "b", "c", "d"), x, y, None, None, None, 15.0, False)
