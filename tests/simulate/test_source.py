"""What a simulation reads: arrays, keys, texts, scale, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from probal.errors import UserError
from probal.simulate import BARE_SCALE, TEXT_SCALE, load_source, split
from tests.simulate.conftest import silent


def test_keys_text_and_scale(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    x, y = arrays["x"], arrays["y"]
    np.savez(
        tmp_path / "keys.npz", a_x=x[:200], a_y=y[:200], b_x=x[200:], b_y=y[200:], classnames=list("wxyz")
    )
    loaded = load_source(tmp_path / "keys.npz", "embedded", "a", "b", silent)
    assert (len(loaded.x), loaded.scale, loaded.classes) == (200, BARE_SCALE, tuple("wxyz"))
    task = split(loaded, 0)
    assert not task.prototypes.any()
    assert np.array_equal(task.eval_y, y[200:])
    np.savez(tmp_path / "scaled.npz", **arrays, scale=np.array(30.0))
    assert load_source(tmp_path / "scaled.npz", "embedded", None, None, silent).scale == 30
    np.savez(tmp_path / "text.npz", **arrays)
    assert load_source(tmp_path / "text.npz", "embedded", None, None, silent).scale == TEXT_SCALE


def test_the_digest_follows_what_is_read_and_not_the_name(path: Path) -> None:
    source = load_source(path, "embedded", None, None, silent)
    assert replace(source, name="elsewhere").digest == source.digest
    moved = source.x.copy()
    moved[0, 0] += 1
    others = [
        replace(source, x=moved),
        replace(source, y=source.y[::-1]),
        replace(source, text_x=None),
        replace(source, scale=1.0),
        replace(source, centred=True),
        replace(source, eval_x=source.x, eval_y=source.y),
    ]
    assert len({other.digest for other in [source, *others]}) == len(others) + 1


def test_what_does_not_fit_is_told(path: Path, arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    def refused(file: Path, *keys: str) -> str:
        with pytest.raises(UserError) as error:
            load_source(file, "embedded", *(keys or (None, None)), silent)
        return str(error.value)

    assert "neither a folder nor an .npz" in refused(tmp_path / "none.npz")
    assert "no arrays val_x and val_y; it holds text_x, x, y" in refused(path, "val", "test")
    np.savez(tmp_path / "bad.npz", x=arrays["x"], y=arrays["y"][:-1])
    assert "must be finite [N,D]" in refused(tmp_path / "bad.npz")
    np.savez(tmp_path / "names.npz", x=arrays["x"], y=arrays["y"], classnames=["a", "b"])
    assert "4 classes in the labels, 2 class names" in refused(tmp_path / "names.npz")
    x, y, text = arrays["x"], arrays["y"], arrays["text_x"]
    for wrong in (y.astype(str), y + 0.5, y - 1, np.where(y, np.nan, 0.0)):
        np.savez(tmp_path / "classes.npz", x=x, y=wrong)
        assert "y must number the classes 0, 1, 2" in refused(tmp_path / "classes.npz")
    for rows in (x[:0], x.astype(str), x[:, :0]):
        np.savez(tmp_path / "rows.npz", x=rows, y=y[: len(rows)])
        assert "must be finite [N,D]" in refused(tmp_path / "rows.npz")
    np.savez(tmp_path / "wide.npz", x=x, y=y, text_x=text[:, 1:])
    assert f"text_x must be finite [C,{x.shape[1]}]" in refused(tmp_path / "wide.npz")
    np.savez(tmp_path / "pair.npz", a_x=x, a_y=y, b_x=x[:, 1:], b_y=y)
    assert "cannot be compared" in refused(tmp_path / "pair.npz", "a", "b")
    assert "measured on the images being labeled" in refused(tmp_path / "pair.npz", "a", "a")
    for scale in ([1, 2], 0, np.nan, "much"):
        np.savez(tmp_path / "scale.npz", x=x, y=y, scale=scale)
        assert "scale must be one positive number" in refused(tmp_path / "scale.npz")
    (tmp_path / "notes.npz").write_text("not an archive")
    assert "cannot be read" in refused(tmp_path / "notes.npz")
