"""Parts of a batch on several cores: same order, same numbers, and torch's threads left as they were."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from probal.encoders._cores import over_parts


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_parts_come_back_in_order(threads: int) -> None:
    batch = torch.arange(40.0).reshape(20, 2)
    result = over_parts(lambda part: part * 2, batch.split(3))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, batch.numpy() * 2)


def test_each_part_has_one_thread_and_no_gradient(threads: int) -> None:
    seen: list[tuple[int, bool]] = []

    def look(part: torch.Tensor) -> torch.Tensor:
        seen.append((torch.get_num_threads(), torch.is_inference_mode_enabled()))
        return part

    over_parts(look, torch.zeros(8, 1).split(1))
    assert set(seen) == {(1, True)}


def test_threads_of_others_stay(threads: int) -> None:
    over_parts(lambda part: part, torch.zeros(8, 1).split(1))
    found: list[int] = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert [torch.get_num_threads(), *found] == [threads, threads]


def test_a_failure_is_raised(threads: int) -> None:
    def broken(part: torch.Tensor) -> torch.Tensor:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        over_parts(broken, torch.zeros(4, 1).split(2))
