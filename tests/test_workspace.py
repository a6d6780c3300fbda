from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from platformdirs import user_data_dir

from probal.encoders.auto import EncoderChoice
from probal.errors import UserError
from probal.types import JobKind, Project, ProjectConfig
from probal.workspace import TEST_LABELS, Workspace

ENCODER = "open_clip:ViT-B-32/openai"


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Three small images, one of them in a subfolder."""
    root = tmp_path / "pool"
    (root / "sub").mkdir(parents=True)
    for i, name in enumerate(("a.png", "b.png", "sub/c.png")):
        Image.new("RGB", (8, 8), (i, i, i)).save(root / name)
    return root


@pytest.fixture(autouse=True)
def _no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROBAL_TOKEN", raising=False)
    monkeypatch.setattr("probal.workspace.check_encoder_id", check)


def check(encoder_id: str) -> None:
    """Stands for the encoders' own check, which needs their packages."""
    if encoder_id not in ("embedded", ENCODER):
        raise UserError(f"unknown encoder {encoder_id!r}")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def create(workspace: Workspace, pool: Path, **changes: Any) -> Project:
    return workspace.create_project(**{"name": "p", "images": pool, "classes": ["cat", "dog"], **changes})


def test_a_workspace_makes_its_folders_and_opens_again(tmp_path: Path):
    with Workspace(tmp_path / "new" / "place") as first:
        folders = (first.features_dir, first.thumbnails_dir, first.snapshots_dir, first.exports_dir)
        assert all(folder.is_dir() and folder.parent == first.path for folder in folders)
        made = first.store.create_project("p", ProjectConfig(image_root=None), [("a", None), ("b", None)])
    with Workspace(tmp_path / "new" / "place") as second:
        assert second.token == first.token
        assert second.store.projects() == [made]


def test_the_default_place_is_named_or_the_user_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PROBAL_WORKSPACE", str(tmp_path / "named"))
    assert Workspace.default_path() == tmp_path / "named"
    assert Workspace().path == tmp_path / "named"
    monkeypatch.delenv("PROBAL_WORKSPACE")
    assert Workspace.default_path() == Path(user_data_dir("probal", appauthor=False))


def test_the_token_is_made_once_and_kept_from_others(workspace: Workspace):
    file = workspace.path / "token"
    assert file.read_text() == workspace.token
    assert len(workspace.token) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert Workspace(workspace.path).token == workspace.token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_environment_s_token_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PROBAL_TOKEN", "from-outside")
    assert Workspace(tmp_path / "w").token == "from-outside"
    assert not (tmp_path / "w" / "token").exists()


def test_all_who_open_a_new_workspace_at_once_get_one_token(tmp_path: Path):
    barrier = threading.Barrier(5)
    tokens: list[str] = []

    def open_it() -> None:
        barrier.wait()
        with Workspace(tmp_path / "w") as opened:
            tokens.append(opened.token)

    threads = [threading.Thread(target=open_it) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 5
    assert len(set(tokens)) == 1


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match=r"cannot be written \(.*choose another folder with --workspace"):
            Workspace(place)


def test_a_project_is_written_whole(workspace: Workspace, pool: Path):
    made = create(
        workspace,
        pool,
        classes=[" 1 ", "dog"],
        prompts=[None, "my dog"],
        encoder=ENCODER,
        template="a photo of {}",
        audit=40,
        batch_size=5,
        strategy="random",
        adapter="zero-shot",
    )
    assert made.config == ProjectConfig(
        image_root=str(pool),
        encoder=ENCODER,
        template="a photo of {}",
        adapter="zero-shot",
        strategy="random",
        batch_size=5,
        audit=40.0,
    )
    classes = workspace.store.classes(made.id)
    assert [(each.name, each.prompt, each.key) for each in classes] == [
        ("1", None, "1"),
        ("dog", "my dog", "2"),
    ]
    assert [job.kind for job in workspace.store.jobs(made.id)] == [JobKind.PREPARE]
    assert workspace.store.get_setting(made.id, TEST_LABELS) is None


def test_a_test_split_takes_the_audit_s_place(workspace: Workspace, pool: Path):
    made = create(workspace, pool, test_labels={"a.png": "cat", "sub/c.png": "dog"})
    assert made.config.audit == 0
    assert workspace.store.get_setting(made.id, TEST_LABELS) == {"a.png": "cat", "sub/c.png": "dog"}


def test_the_image_root_is_kept_absolute(workspace: Workspace, pool: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(pool.parent)
    assert create(workspace, Path("pool")).config.image_root == str(pool)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "a b"}, "cannot be a project's name"),
        ({"classes": ["cat"]}, "at least two"),
        ({"classes": ["cat", "=cat()"]}, "formula"),
        ({"prompts": ["x"]}, "1 prompts for 2 classes"),
        ({"encoder": "clippy"}, "unknown encoder 'clippy'"),
        ({"template": "a photo"}, "exactly once"),
        ({"audit": 1.5}, "audit size"),
        ({"batch_size": 0}, "batch size"),
        ({"strategy": "best"}, "unknown strategy 'best'"),
        ({"strategy": "probvlm"}, "needs a trained ProbVLM, and a new project has none"),
        ({"adapter": "svm"}, "unknown adapter 'svm'"),
        ({"test_labels": {"a.png": "cow"}}, "name the class 'cow', which is not among the classes"),
        ({"test_labels": {"none.png": "cat"}}, "name the image 'none.png'"),
        ({"test_labels": {"../pool/a.png": "cat"}}, "name the image '../pool/a.png'"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_written(
    workspace: Workspace, pool: Path, changes: dict[str, Any], told: str
):
    with pytest.raises(UserError) as mistake:
        create(workspace, pool, **changes)
    assert told in str(mistake.value)
    assert "\n" not in str(mistake.value)
    assert workspace.store.projects() == []
    assert workspace.store.jobs() == []


def test_a_folder_must_hold_an_image_that_can_be_read(workspace: Workspace, pool: Path, tmp_path: Path):
    with pytest.raises(UserError, match="no such folder"):
        create(workspace, tmp_path / "none")
    with pytest.raises(UserError, match="not a folder"):
        create(workspace, pool / "a.png")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("hello")
    (empty / ".hidden").mkdir()
    Image.new("RGB", (8, 8)).save(empty / ".hidden" / "a.png")
    with pytest.raises(UserError, match="no image file in"):
        create(workspace, empty)
    (empty / "broken.png").write_bytes(b"no image")
    (empty / "worse.jpg").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"none of the 2 image files in .* can be read; the last, worse.jpg: "
    ):
        create(workspace, empty)
    # one is enough, also behind links, one of which leads back
    (empty / "loop").symlink_to(empty)
    (empty / "link").symlink_to(pool)
    assert create(workspace, empty).config.image_root == str(empty)


def test_the_workspace_must_not_lie_where_images_are_looked_for(pool: Path):
    inside = Workspace(pool / "workspace")
    with pytest.raises(UserError, match="lies inside the image folder"):
        create(inside, pool)
    for own in (inside.path, inside.thumbnails_dir, inside.thumbnails_dir / "ab"):
        own.mkdir(exist_ok=True)
        with pytest.raises(UserError, match=r"inside the image folder|part of the workspace"):
            create(inside, own)
    assert create(inside, pool / "sub").config.image_root == str(pool / "sub")


def test_images_are_read_only(workspace: Workspace, pool: Path):
    before = {path: path.stat().st_mtime_ns for path in pool.rglob("*")}
    create(workspace, pool)
    assert {path: path.stat().st_mtime_ns for path in pool.rglob("*")} == before


def test_auto_is_resolved_once(workspace: Workspace, pool: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("probal.workspace.check_encoder_id", lambda encoder_id: None)
    monkeypatch.setattr(
        "probal.workspace.resolve_encoder_id",
        lambda encoder_id: EncoderChoice(ENCODER if encoder_id == "auto" else encoder_id),
    )
    assert create(workspace, pool, encoder="auto").config.encoder == ENCODER
    assert workspace.store.project("p").config.encoder == ENCODER
