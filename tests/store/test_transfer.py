"""Moving ids: by the same number per table, wherever they stand; what has none stays."""

from __future__ import annotations

from sqlalchemy import JSON, Integer

from probal.store.base import metadata
from probal.store.transfer import _IDS, Shift

SHIFT = Shift({"image": 100, "class": 10, "annotation": 1000})


def test_ids_move_wherever_they_stand():
    reason = {"strategy": "auto", "cluster": 3, "nearest_labeled": 5, "contested": [[1, 0.5], [2, 0.4]]}
    assert SHIFT.value("reason", reason) == {
        "strategy": "auto",
        "cluster": 3,
        "nearest_labeled": 105,
        "contested": [[11, 0.5], [12, 0.4]],
    }
    assert SHIFT.value("pending_ids", [1, 2]) == [101, 102]
    assert SHIFT.value("first_images", 7) == 107
    calls = {"round": 2, "image_ids": [1], "class_ids": [3]}
    assert SHIFT.value("pool_calls", calls) == {"round": 2, "image_ids": [101], "class_ids": [13]}


def test_no_row_stays_no_row_and_other_numbers_stay():
    assert SHIFT.value("event_watermark", 0) == 0
    assert SHIFT.value("event_watermark", 3) == 1003
    assert SHIFT.value("reason", {"nearest_labeled": None, "contested": []}) == {
        "nearest_labeled": None,
        "contested": [],
    }
    assert SHIFT.value("config", {"batch": 20, "seeds": [1, 2]}) == {"batch": 20, "seeds": [1, 2]}


def test_every_whole_number_and_every_json_of_the_schema_was_looked_at():
    """A new column that holds ids without a foreign key must be named in `_IDS`; then add it here."""
    plain = {
        *(
            "class.position",
            "round.number",
            "round.n_labels",
            "round.n_train",
            "round.threads",
            "proposal.rank",
        ),
        *("image.width", "image.height", "metric.round_index", "metric.labels", "metric.n"),
        *("image.bytes", "image.mtime_ns", "round.seed", "annotation.seq", "annotation.duration_ms"),
    }
    jsons = {
        *("project.config", "setting.value", "round.config", "round.pending_ids", "round.versions"),
        *("round.timings", "proposal.predicted", "proposal.reason", "metric.detail"),
        *("class_change.before", "class_change.after"),
    }
    columns = [
        column
        for table in metadata.sorted_tables
        if table.name not in {"lease", "job", "export"}
        for column in table.columns
    ]
    numbers = {
        f"{each.table.name}.{each.name}"
        for each in columns
        if isinstance(each.type, Integer) and each.name != "id" and not each.foreign_keys
    }
    assert {each for each in numbers if each.split(".")[1] not in _IDS} == plain
    assert {f"{c.table.name}.{c.name}" for c in columns if isinstance(c.type, JSON)} == jsons
