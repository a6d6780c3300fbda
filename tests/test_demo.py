from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from probal.demo import (
    CLASSES,
    class_folders,
    digit_image,
    digits_project,
    draw_digits,
    folder_project,
    held_out,
)
from probal.errors import UserError
from probal.types import JobKind, JobState
from probal.workspace import TEST_LABELS, Workspace


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw_digits(tmp_path_factory.mktemp("demo") / "digits")


def test_all_digits_are_there_and_no_two_have_the_same_bytes(drawn):
    files = sorted(drawn.root.rglob("*.png"))
    assert len(files) == 1797
    assert len({file.read_bytes() for file in files}) == 1797


def test_the_test_split_is_stratified_and_complete(drawn):
    assert Counter(drawn.test_labels.values()) == dict.fromkeys(CLASSES, 40)
    written = {file.relative_to(drawn.root).as_posix() for file in (drawn.root / "test").iterdir()}
    assert written == set(drawn.test_labels)


def test_a_label_belongs_to_its_picture(drawn):
    """The greys of a file are those of a digit of the class that its label names."""
    digits = load_digits()
    pairs = zip(digits.images, digits.target, strict=True)
    by_bytes = {digit_image(levels).tobytes(): CLASSES[c] for levels, c in pairs}
    for path, label in drawn.test_labels.items():
        with Image.open(drawn.root / path) as image:
            assert by_bytes[image.tobytes()] == label


def test_names_do_not_tell_the_digit(drawn):
    """Neither do numbers: scikit-learn's order, in which the first hundred count 0 to 9, is gone."""
    agree = [path.removesuffix(".png").endswith(label) for path, label in drawn.test_labels.items()]
    assert np.mean(agree) < 0.2


def test_ink_is_dark_on_white_paper():
    levels = np.zeros((8, 8))
    levels[3:5, 3:5] = 16
    grey = np.asarray(digit_image(levels))
    assert grey.dtype == np.uint8
    assert grey[0, 0] == 255
    assert grey[len(grey) // 2, len(grey) // 2] == 0


def test_a_second_drawing_leaves_the_first_alone(drawn):
    before = {file: file.stat().st_mtime_ns for file in drawn.root.rglob("*.png")}
    assert draw_digits(drawn.root) == drawn
    assert {file: file.stat().st_mtime_ns for file in drawn.root.rglob("*.png")} == before


def test_a_kill_while_drawing_leaves_no_half_pool(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom PIL import Image\n"
        "from probal.demo import draw_digits\n"
        "save, count = Image.Image.save, []\n"
        "def dying(*args, **kwargs):\n"
        "    count.append(1)\n"
        "    os._exit(9) if len(count) == 50 else save(*args, **kwargs)\n"
        "Image.Image.save = dying\n"
        "draw_digits(Path(sys.argv[1]))\n"
    )
    root = tmp_path / "digits"
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", code, str(root)], env=env, check=False)
    assert killed.returncode == 9
    assert not root.exists()
    draw_digits(root)
    assert len(list(root.rglob("*.png"))) == 1797


def test_the_split_does_not_change():
    labels = load_digits().target
    assert np.array_equal(held_out(labels), held_out(labels))
    assert held_out(labels).sum() == 400


def folder_of(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    return root


def test_subfolders_with_images_name_the_classes(tmp_path):
    folder_of(tmp_path, "dog/a.jpg", "cat/deep/b.PNG", "notes/readme.txt", ".cache/c.jpg", "loose.jpg")
    assert class_folders(tmp_path) == ["cat", "dog"]


@pytest.mark.parametrize("files", [(), ("a.jpg", "b.jpg"), ("cat/a.jpg",)])
def test_a_folder_that_cannot_tell_its_classes_says_what_to_run(tmp_path, files):
    with pytest.raises(UserError, match=r"probal init NAME --images .* --classes a,b,c"):
        class_folders(folder_of(tmp_path, *files))


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="no folder at"):
        class_folders(tmp_path / "none")


@pytest.fixture
def workspace(tmp_path):
    with Workspace(tmp_path / "workspace") as opened:
        yield opened


def test_the_project_is_made_once_with_its_preparation_queued(workspace):
    project = digits_project(workspace)
    assert digits_project(workspace) == project
    assert [each.key for each in workspace.store.classes(project.id)] == list(CLASSES)
    assert len(workspace.store.get_setting(project.id, TEST_LABELS)) == 400
    (job,) = workspace.store.jobs(project.id)
    assert (job.kind, job.state) == (JobKind.PREPARE, JobState.QUEUED)


def test_a_preparation_that_was_broken_off_is_queued_again(workspace):
    project = digits_project(workspace)
    job = workspace.store.claim("test", project.id)
    workspace.store.fail(job.id, "interrupted")
    digits_project(workspace)
    assert workspace.store.jobs(project.id)[0].state is JobState.QUEUED


def test_any_folder_makes_a_project_named_after_it(workspace, tmp_path):
    root = folder_of(tmp_path / "My photos!", "dog/a.png", "cat/b.png")
    for i, file in enumerate(root.rglob("*.png")):
        Image.new("L", (8, 8), i).save(file)
    project = folder_project(workspace, root)
    assert project.name == "My-photos"
    assert folder_project(workspace, root) == project
    assert [each.name for each in workspace.store.classes(project.id)] == ["cat", "dog"]
    assert workspace.store.get_setting(project.id, TEST_LABELS) is None

    twin = tmp_path / "elsewhere" / "My photos!"
    twin.parent.mkdir()
    root.rename(twin)
    assert folder_project(workspace, twin).name == "My-photos-2"
