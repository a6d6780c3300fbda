"""The project `p` of coloured noise, with an encoder that sees colours: the loop in a terminal without weights."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.session.conftest import COLOURS, ColourEncoder, draw_pool


@pytest.fixture(autouse=True)
def encoder(monkeypatch) -> ColourEncoder:
    encoder = ColourEncoder()
    monkeypatch.setattr("probal.session.vectors.load_encoder", lambda encoder_id: encoder)
    return encoder


@pytest.fixture
def images(tmp_path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def truth(images) -> dict[str, str]:
    return draw_pool(images, 100)


@pytest.fixture
def prepared(probal, images, truth):
    """The project `p`, embedded."""
    assert probal("init", "p", "--images", images, "--classes", ",".join(COLOURS)).exit_code == 0
    assert probal("embed", "p").exit_code == 0
    return probal


def labels_file(file: Path, labels: dict[str, str]) -> Path:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label"), *labels.items()])
    return file
