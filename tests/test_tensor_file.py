"""Files of tensors: back to the last bit, whole or not at all, and a sentence for what is not one."""

import hashlib
from pathlib import Path

import pytest
import torch

from probal.errors import UserError
from probal.tensor_file import read_tensors, write_tensors

ASKED = ("thing-1", "a thing", "make it again")


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.safetensors"
    tensors = {"a": torch.randn(3, 4, dtype=torch.float64).T, "b": torch.tensor([1, 2])}
    digest = write_tensors(path, tensors, "thing-1", {"λ": 0.1, "names": ["x"]})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    found, facts = read_tensors(path, *ASKED)
    assert facts == {"λ": 0.1, "names": ["x"]}
    assert found.keys() == tensors.keys()
    for name in tensors:
        assert torch.equal(found[name], tensors[name])
    only, facts = read_tensors(path, *ASKED, names={"b", "c"})
    assert list(only) == ["b"]
    assert facts["λ"] == 0.1
    assert [each.name for each in path.parent.iterdir()] == ["a.safetensors"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(2)}, "thing-1", {})
    with pytest.raises(TypeError):
        write_tensors(path, {"a": torch.zeros(2)}, "thing-1", {"not JSON": object()})
    assert torch.equal(read_tensors(path, *ASKED)[0]["a"], torch.ones(2))


def test_what_is_not_such_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file .*expected a thing"):
        read_tensors(tmp_path / "none", *ASKED)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UserError, match="not a safetensors file"):
        read_tensors(tmp_path / "text", *ASKED)
    write_tensors(tmp_path / "old", {"a": torch.ones(1)}, "thing-0", {})
    with pytest.raises(UserError, match="format is 'thing-0', expected 'thing-1'; make it again"):
        read_tensors(tmp_path / "old", *ASKED)
