from __future__ import annotations

import os
import subprocess
import sys
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


@pytest.mark.parametrize(("set_before", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_openmp_sleep_while_they_wait_unless_the_user_says_otherwise(
    set_before: str | None, policy: str
) -> None:
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if set_before is not None:
        env["OMP_WAIT_POLICY"] = set_before
    code = "import os, sys, probal; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    ).stdout
    assert found.split() == [policy, "False"], "it is read once, when torch loads OpenMP"
