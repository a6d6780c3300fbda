from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info

from probal.threads import single_thread


def threads() -> set[int]:
    """What torch, BLAS and OpenMP would use now."""
    return {torch.get_num_threads(), *(each["num_threads"] for each in threadpool_info())}


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_one_thread_inside_and_as_many_as_before_afterwards() -> None:
    before = threads()
    assert before != {1}
    with single_thread():
        assert threads() == {1}
        with single_thread():
            assert threads() == {1}
        assert threads() == {1}, "the inner one must not undo the outer one"
    assert threads() == before


def test_given_back_after_an_error_and_entered_again() -> None:
    before = threads()
    with pytest.raises(KeyError), single_thread():
        raise KeyError
    assert threads() == before
    with single_thread():
        assert threads() == {1}


def test_another_thread_enters_by_itself() -> None:
    seen: list[set[int]] = []

    def work() -> None:
        with single_thread():
            seen.append(threads())

    with single_thread():
        one = threading.Thread(target=work)
        one.start()
        one.join()
    assert seen == [{1}]
