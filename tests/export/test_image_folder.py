"""ImageFolder: names, collisions, and what is left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from probal.export import ExportRow, export_labels


def listing(folder: Path) -> set[str]:
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}


def test_names(rows: list[ExportRow], image_root: Path, tmp_path: Path) -> None:
    export_labels(rows, tmp_path / "out", ["imagefolder"], image_root)
    marks = {row.path: row.content_hash[:8] for row in rows}
    assert listing(tmp_path / "out") == {
        "classes.json",
        "images/cat/cat.png",
        f"images/cat/CAT_{marks['indoor/CAT.PNG']}.PNG",
        f"images/cat/cat_{marks['indoor/cat.png']}.png",
        "images/a_b/=1+1.png",
        "images/a_b_2/@home, _quoted__line.png",
        "images/Été 夏/ä.jpg",
        "images/_CON/_con.png",
        "images/class/_hidden.png",
    }
    classes = json.loads((tmp_path / "out" / "classes.json").read_text("utf-8"))["classes"]
    assert {"folder": "a_b_2", "class_id": 12, "name": "a:b"} in classes
    assert {"folder": "class", "class_id": 15, "name": ".."} in classes


def test_every_reason_to_leave_an_image_out(rows: list[ExportRow], image_root: Path, tmp_path: Path) -> None:
    secret = image_root.parent / "secret.png"
    secret.write_bytes(b"not in the pool")
    (image_root / "cat.png").write_bytes(b"other bytes")
    (image_root / "folder.png").mkdir()
    odd = [
        replace(rows[0], path="../secret.png", content_hash=""),
        replace(rows[0], path=str(secret), content_hash=""),
        replace(rows[0], path="gone.png"),
        replace(rows[0], path="folder.png"),
        replace(rows[0], path="null\0.png"),
    ]
    report = export_labels([*rows, *odd], tmp_path / "out", ["csv", "imagefolder"], image_root)
    reasons = dict(report.skipped)
    assert reasons["../secret.png"] == reasons[str(secret)] == "its path leaves the image folder"
    assert reasons["gone.png"] == "the file is missing"
    assert reasons["cat.png"] == "the file has changed since it was labeled"
    assert reasons["folder.png"].startswith("cannot be read: ")
    assert reasons["null\0.png"].startswith("cannot be read: ")
    assert report.counts == {"csv": len(rows) + 5, "imagefolder": len(rows) - 1}
    assert not any("secret" in each for each in listing(tmp_path / "out"))


@pytest.mark.parametrize("link", ["file", "folder"])
def test_symlinks_in_the_pool_are_copied_as_files(
    link: str, rows: list[ExportRow], image_root: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "cat.png").write_bytes((image_root / "cat.png").read_bytes())
    path = "linked.png" if link == "file" else "linked/cat.png"
    (image_root / path.split("/")[0]).symlink_to(elsewhere / "cat.png" if link == "file" else elsewhere)
    export_labels([replace(rows[0], path=path)], tmp_path / "out", ["imagefolder"], image_root)
    (copy,) = (tmp_path / "out" / "images" / "cat").iterdir()
    assert not copy.is_symlink()
    assert copy.read_bytes() == (elsewhere / "cat.png").read_bytes()
