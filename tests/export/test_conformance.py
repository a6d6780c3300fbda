"""What every exporter must do. A new one joins by a reader in READERS."""

from __future__ import annotations

from pathlib import Path

import pytest

from probal.errors import UserError
from probal.export import DESCRIPTIONS, EXPORTERS, ExportReport, ExportRow, export_labels
from tests.export.readers import READERS


def test_every_exporter_has_a_reader() -> None:
    assert READERS.keys() == EXPORTERS.keys()


def test_every_exporter_is_described() -> None:
    assert list(DESCRIPTIONS) == list(EXPORTERS)
    assert all(title and sentence.endswith(".") for title, sentence in DESCRIPTIONS.values())


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below `folder` with its bytes."""
    return {
        str(each.relative_to(folder)): each.read_bytes() if each.is_file() else None
        for each in sorted(folder.rglob("*"))
    }


@pytest.fixture(params=EXPORTERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_round_trip(name: str, rows: list[ExportRow], image_root: Path, tmp_path: Path) -> None:
    report = export_labels(rows, tmp_path / "out", [name], image_root)
    assert READERS[name](tmp_path / "out") == {(row.content_hash, row.label) for row in rows}
    assert (report.counts, report.skipped) == ({name: len(rows)}, ())
    top = {f"{each.name}/" if each.is_dir() else each.name for each in (tmp_path / "out").iterdir()}
    assert set(report.files) == top


def test_images_are_only_read(name: str, rows: list[ExportRow], image_root: Path, tmp_path: Path) -> None:
    if name == "imagefolder-link":
        pytest.skip("a link is the image itself, which is why it must be asked for by name")
    before = tree(image_root)
    stamps = {each: each.stat().st_mtime_ns for each in image_root.rglob("*")}
    export_labels(rows, tmp_path / "out", [name], image_root)
    for file in (tmp_path / "out").rglob("*"):
        if file.is_file():
            file.write_bytes(b"edited by a later tool")
    assert tree(image_root) == before
    assert {each: each.stat().st_mtime_ns for each in image_root.rglob("*")} == stamps


def test_same_rows_in_any_order_give_the_same_bytes(
    name: str, rows: list[ExportRow], image_root: Path, tmp_path: Path
) -> None:
    export_labels(rows, tmp_path / "a", [name], image_root)
    export_labels(reversed(rows), tmp_path / "b", [name], image_root)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_missing_images_are_no_stop(
    name: str, rows: list[ExportRow], image_root: Path, tmp_path: Path
) -> None:
    for row in rows[:3]:
        (image_root / row.path).unlink()
    report = export_labels(rows, tmp_path / "out", [name], image_root)
    lost = {(row.content_hash, row.label) for row in rows} - READERS[name](tmp_path / "out")
    assert len(lost) == len(report.skipped) == len(rows) - report.counts[name]


def test_a_failure_leaves_nothing(
    name: str, rows: list[ExportRow], image_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = EXPORTERS[name]

    def fails_late(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("probal.export.registry.EXPORTERS", {**EXPORTERS, name: fails_late})
    with pytest.raises(UserError, match=r"cannot write the export to .*No space left"):
        export_labels(rows, tmp_path / "out", [name], image_root)
    assert [each.name for each in tmp_path.iterdir()] == ["pool"]


def test_progress_never_exceeds_the_rows(
    name: str, rows: list[ExportRow], image_root: Path, tmp_path: Path
) -> None:
    calls: list[tuple[int, int]] = []
    export_labels(rows, tmp_path / "out", [name], image_root, lambda *call: calls.append(call))
    assert all(1 <= done <= total == len(rows) for done, total in calls)


def test_all_formats_together(rows: list[ExportRow], image_root: Path, tmp_path: Path) -> None:
    report = export_labels(rows, tmp_path / "out", list(EXPORTERS), image_root)
    assert len(set(report.files)) == len(report.files), "two exporters write the same file"
    for name, read in READERS.items():
        assert read(tmp_path / "out") == {(row.content_hash, row.label) for row in rows}
        assert f"{len(rows)} labels as {name}" in str(report)


def test_report_tells_what_was_left_out() -> None:
    report = ExportReport(("labels.csv",), {"csv": 1200}, (("a.png", "the file is missing"),))
    assert str(report) == "1,200 labels as csv (1 images left out)"
