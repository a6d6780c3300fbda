"""The table of a user's own vectors: written and read whole, and what stands in the encoder's place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from encoder_conformance import pictures

from probal.encoders.vectors import VectorEncoder, VectorTable
from probal.errors import UserError

RNG = np.random.default_rng(0)
TABLE = VectorTable(
    x=RNG.normal(size=(6, 4)).astype(np.float16),
    names=("a.png", "b/ü.png", "3", "d", "e", "f"),
    named=True,
    class_names=("cat", "dog"),
    text_x=RNG.normal(size=(2, 4)).astype(np.float32),
    scale=42.5,
)


@pytest.mark.parametrize("table", [TABLE, replace(TABLE, text_x=None, class_names=(), named=False)])
def test_a_table_comes_back_as_it_was(table: VectorTable, tmp_path: Path) -> None:
    table.save(tmp_path / "new" / "folder")
    again = VectorTable.load(tmp_path / "new" / "folder")
    assert again.fingerprint == table.fingerprint
    np.testing.assert_array_equal(again.x, table.x)
    assert (again.names, again.named, again.class_names, again.scale) == (
        *(table.names, table.named, table.class_names, table.scale),
    )
    assert (again.text_x is None) == (table.text_x is None)


def test_the_fingerprint_tells_tables_apart() -> None:
    others = [
        replace(TABLE, x=TABLE.x * 2),
        replace(TABLE, names=(*TABLE.names[:5], "g")),
        replace(TABLE, named=False),
        replace(TABLE, class_names=("cat", "cow")),
        replace(TABLE, text_x=None),
        replace(TABLE, scale=1.0),
        replace(TABLE, names=(*TABLE.names, "cat"), class_names=("dog",)),
    ]
    prints = {each.fingerprint for each in [TABLE, *others]}
    assert len(prints) == len(others) + 1
    assert all(each.isalnum() for each in prints)


def test_a_table_that_is_gone_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make the project again with --vectors"):
        VectorTable.load(tmp_path)


def test_the_encoder_knows_the_classes_of_the_file_and_nothing_else() -> None:
    encoder = VectorEncoder(TABLE)
    assert (encoder.width, encoder.scale, encoder.centred) == (4, 42.5, False)
    assert encoder.id == f"vectors:{TABLE.fingerprint}"
    assert TABLE.text_x is not None
    np.testing.assert_array_equal(encoder.encode_texts(["dog", "cat"]), TABLE.text_x[::-1])
    rows = encoder.class_rows(["dog", "added later"])
    np.testing.assert_array_equal(rows, [TABLE.text_x[1], np.zeros(4)])
    np.testing.assert_array_equal(
        VectorEncoder(replace(TABLE, text_x=None)).class_rows(["cat"]), np.zeros((1, 4))
    )
    for call in (
        lambda: encoder.encode_texts(["a photo of a cat"]),
        lambda: encoder.encode_images(pictures()[:1]),
        lambda: encoder.encode_prepared(np.zeros((1, 3))),
    ):
        with pytest.raises(UserError, match="vectors from a file"):
            call()
