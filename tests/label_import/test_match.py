from __future__ import annotations

from pathlib import Path

import pytest

from probal.errors import UserError
from probal.label_import import label_events, read_labels_file, resolve
from probal.types import ClassInfo, ImageInfo, ImageState, Role

CLASSES = [ClassInfo(1, "cat", None, "1", 0), ClassInfo(2, "dog", None, "2", 1)]
ROOT = Path("/pool")


def image(id: int, path: str, state: ImageState = ImageState.OK, role: Role = Role.POOL, hash: str = ""):
    return ImageInfo(id, path, hash or f"{id:064x}", 8, 8, 100, 0, state, role)


IMAGES = [
    image(1, "a.png"),
    image(2, "sub/b.png"),
    image(3, "sub/c.png"),
    image(4, "other/c.png"),
    image(5, "copy.png", ImageState.DUPLICATE, hash=f"{1:064x}"),
    image(6, "broken.png", ImageState.CORRUPT),
    image(7, "held.png", role=Role.TEST),
    image(8, "audit.png", role=Role.AUDIT),
]


def written(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "labels.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def resolved(tmp_path: Path, text: str | bytes) -> dict[int, int]:
    return resolve(read_labels_file(written(tmp_path, text)), IMAGES, CLASSES, ROOT)


@pytest.mark.parametrize(
    ("written_as", "expected"),
    [
        ("a.png", 1),
        ("./a.png", 1),
        ("/pool/a.png", 1),
        ("sub/b.png", 2),
        ("sub\\b.png", 2),
        ("b.png", 2),
        ("copy.png", 1),
        ("audit.png", 8),
    ],
)
def test_an_image_is_found_by_each_way_of_naming_it(tmp_path, written_as, expected):
    assert resolved(tmp_path, f"path,label\n{written_as},cat\n") == {expected: 1}


def test_content_hash_names_an_image(tmp_path):
    assert resolved(tmp_path, f"content_hash,label\n{2:064x},dog\n") == {2: 2}


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfpath,label\r\na.png,cat\r\n",
        b"path;label\na.png;cat\n",
        b"path\tlabel\na.png\tcat\n",
        b'label,note,path\ncat,"x, y",a.png\n',
        b"path, label \na.png, CAT \n\n",
        b"path,label\na.png,cat\nsub/b.png,\n",
        b"path,label\na.png,cat\na.png,cat\n",
        b"path,label,source\na.png,cat,human\nsub/b.png,dog,model\n",
    ],
)
def test_what_spreadsheets_write_is_understood(tmp_path, text):
    assert resolved(tmp_path, text) == {1: 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "labels.csv is an empty file: expected path"),
        (b"file,class\na.png,cat\n", "columns file, class: expected path"),
        (b"path,label\n", "holds no label"),
        (b"path,label\na.png,\n", "holds no label"),
        (b"path,label\n\xff\xfe,cat\n", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_labels_file(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_labels_file(written(tmp_path, text))


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="no labels file at"):
        read_labels_file(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("nowhere.png,cat", r"1 unknown image: nowhere.png \(line 2\)"),
        ("/elsewhere/a.png,cat", "1 unknown image: /elsewhere/a.png"),
        ("c.png,cat", "2 images have this file name, give the path"),
        ("broken.png,cat", "takes no label: broken.png .*corrupt"),
        ("held.png,cat", "takes no label: held.png .*test split"),
        ("a.png,cow", r"1 unknown class: cow \(the classes are cat, dog\)"),
        ("a.png,cat\ncopy.png,dog", "1 image with two different labels: copy.png"),
    ],
)
def test_a_row_that_makes_no_sense(tmp_path, row, message):
    with pytest.raises(UserError, match=message):
        resolved(tmp_path, f"path,label\n{row}\n")


def test_all_offenders_are_counted_and_five_of_them_named(tmp_path):
    rows = [f"x{i}.png,cow{i}" for i in range(7)]
    with pytest.raises(UserError) as caught:
        resolved(tmp_path, "path,label\na.png,cat\n" + "\n".join(rows))
    message = str(caught.value)
    assert message.startswith(
        "nothing was stored: 7 unknown classes: cow0, cow1, cow2, cow3, cow4 and 2 more"
    )
    assert "7 unknown images: x0.png (line 3), " in message
    assert "x5.png" not in message
    assert "\n" not in message


def test_event_ids_follow_from_what_is_said_and_from_nothing_else(tmp_path):
    def ids(project: str, labels: dict[int, int], digest: str) -> list[str]:
        return [event.event_id for event in label_events(project, labels, IMAGES, digest, "me")]

    same = ids("p", {1: 1, 2: 2}, "f")
    assert same == ids("p", {1: 1, 2: 2}, "f")
    assert len(set(same)) == 2
    others = [ids("q", {1: 1, 2: 2}, "f"), ids("p", {1: 2, 2: 1}, "f"), ids("p", {1: 1, 2: 2}, "g")]
    assert all(set(same).isdisjoint(other) for other in others)
