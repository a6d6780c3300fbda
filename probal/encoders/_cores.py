"""One part of a batch per core: no barrier in every layer, which costs most where cores are shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


def over_parts(function: Callable[[T], torch.Tensor], parts: Iterable[T]) -> np.ndarray:
    """`function` of each part, in inference mode, concatenated in order; at least one part.

    As many parts run at a time as torch has threads (OMP_NUM_THREADS), each of them on one. Measured on two
    busy cores, 64 images through EfficientNet-Lite0: 1.1 s, against 2.5 s with torch's threads in each layer.
    """
    import torch

    def run(part: T) -> torch.Tensor:
        with torch.inference_mode():
            return function(part)

    threads = torch.get_num_threads()
    try:
        return torch.cat(list(_executor(threads).map(run, parts))).numpy()
    finally:
        torch.set_num_threads(threads)  # threads begun later take over what was set last, in any thread


@cache
def _executor(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "encoder", initializer=_use_one_thread)


def _use_one_thread() -> None:
    import torch

    torch.get_num_threads()  # a thread's first question takes over the process's number; ask before setting
    torch.set_num_threads(1)
