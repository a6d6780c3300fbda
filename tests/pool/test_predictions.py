from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probal.pool.predictions import TOP, predictions_path, read_predictions, write_predictions


@given(st.integers(0, 40), st.integers(2, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_groups_hold_every_image_once_the_surest_first(tmp_path_factory, n: int, c: int, seed: int):
    generator = np.random.default_rng(seed)
    p = generator.dirichlet(np.ones(c), n)
    image_ids, class_ids = generator.permutation(1000)[:n], generator.permutation(100)[:c] + 1
    path = predictions_path(tmp_path_factory.mktemp("predictions"), 3)
    write_predictions(path, image_ids.tolist(), class_ids.tolist(), p, np.ones(n), np.zeros(n))
    found = read_predictions(path)
    assert found is not None
    groups = found.groups()
    assert sorted(found.records["image_id"].tolist()) == sorted(image_ids.tolist())
    assert sum(group.stop - group.start for group in groups.values()) == n
    row = {image_id: i for i, image_id in enumerate(image_ids.tolist())}
    for class_id, group in groups.items():
        records = found.records[group]
        assert (np.diff(records["p"][:, 0]) <= 0).all()
        for record in records:
            own = p[row[record["image_id"]]]
            assert class_ids[own.argmax()] == class_id
            k = min(c, TOP)
            assert record["p"][:k].tolist() == pytest.approx(np.sort(own)[::-1][:k], abs=1e-6)
            assert (record["class_ids"][k:] < 0).all()


def test_before_the_first_round_there_are_none_and_other_versions_are_left_alone(tmp_path: Path):
    assert read_predictions(tmp_path / "none.npy") is None
    np.save(tmp_path / "other.npy", np.zeros(3))
    assert read_predictions(tmp_path / "other.npy") is None


def test_a_reader_keeps_what_it_mapped_while_a_new_file_comes(tmp_path: Path):
    path = tmp_path / "predictions.npy"
    write_predictions(path, [1, 2], [7, 8], np.array([[0.9, 0.1], [0.2, 0.8]]), np.ones(2), np.zeros(2))
    before = read_predictions(path)
    write_predictions(path, [3], [7, 8], np.array([[0.6, 0.4]]), np.ones(1), np.zeros(1))
    after = read_predictions(path)
    assert before is not None
    assert after is not None
    assert before.records["image_id"].tolist() == [1, 2]
    assert after.records["image_id"].tolist() == [3]
