"""A small pool of drawn images, and a project on it that is ready to be labeled without any encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from probal.pool.scan import scan_folder
from probal.types import ImageState, JobKind, NewProposal, Project, Reason, Role
from probal.workspace import Workspace

SHAPES = ("circle", "square", "triangle")
INKS = ("crimson", "seagreen", "royalblue", "goldenrod", "purple", "black")


def draw_shapes(folder: Path, n: int, side: int = 96) -> dict[str, str]:
    """`n` different PNGs of plain shapes under `folder`; returns the class of each by path, shapes in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = {}
    for i in range(n):
        shape = SHAPES[i % len(SHAPES)]
        image = Image.new("RGB", (side, side), (250 - i % 7, 248, 245 - i % 11))
        draw = ImageDraw.Draw(image)
        size = side * (40 + i * 7 % 35) // 100
        left, top = (i * 13) % (side - size), (i * 29) % (side - size)
        box = (left, top, left + size, top + size)
        ink = INKS[(i // len(SHAPES)) % len(INKS)]
        if shape == "circle":
            draw.ellipse(box, fill=ink)
        elif shape == "square":
            draw.rectangle(box, fill=ink)
        else:
            draw.polygon([(left, top + size), (left + size, top + size), (left + size // 2, top)], fill=ink)
        image.save(folder / f"{i:03d}.png")
        classes[f"{i:03d}.png"] = shape
    return classes


def propose_all(
    workspace: Workspace, project: Project, n: int | None = None, images: Sequence[int] | None = None
) -> None:
    """A round as the worker would write it, over these images or the pool's in order, the first class ahead."""
    store = workspace.store
    classes = store.classes(project.id)
    shares = [0.5, *([0.5 / (len(classes) - 1)] * (len(classes) - 1))]
    predicted = tuple((info.id, p) for info, p in zip(classes, shares, strict=True))
    pool = store.images(project.id, state=ImageState.OK, role=Role.POOL)
    reason = Reason("auto", "uncertainty", 1.0, 1.0, 0.7, 0.3, predicted[:2], 2, pool[-1].id, 0.83)
    store.add_round(
        project.id,
        strategy="auto",
        seed=0,
        config={"batch": len(pool)},
        encoder_fingerprint="encoder",
        adapter_fingerprint="adapter",
        event_watermark=store.watermark(project.id),
        candidate_hash="0" * 64,
        pending_ids=(),
        n_labels=store.labels_spent(project.id),
        n_train=0,
        threads=1,
        versions={},
        timings={"fit": 0.1},
        proposals=[
            NewProposal(image_id, predicted, reason)
            for image_id in images or [image.id for image in pool[:n]]
        ],
    )


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """An empty workspace, named by PROBAL_WORKSPACE."""
    monkeypatch.setenv("PROBAL_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.delenv("PROBAL_TOKEN", raising=False)
    with Workspace(tmp_path / "workspace") as opened:
        yield opened


@pytest.fixture
def ready(workspace: Workspace, tmp_path: Path) -> Callable[..., Project]:
    """Makes a project whose images are scanned, with an audit set and a first round: `ready("name", n=30)`."""
    return partial(make_ready, workspace, tmp_path)


def make_ready(
    workspace: Workspace,
    folder: Path,
    name: str = "shapes",
    n: int = 30,
    audit: int = 5,
    batch_size: int = 10,
    classes: Sequence[str] = SHAPES,
) -> Project:
    """What the fixture `ready` makes, of images drawn under `folder`."""
    draw_shapes(folder / name, n)
    (folder / name / "broken.png").write_bytes(b"not an image")
    (folder / name / "copy.png").write_bytes((folder / name / "000.png").read_bytes())
    store = workspace.store
    project = workspace.create_project(
        name, images=folder / name, classes=classes, audit=audit, batch_size=batch_size
    )
    store.sync_images(project.id, scan_folder(folder / name))
    images = store.images(project.id, state=ImageState.OK)
    store.set_role(project.id, [image.id for image in images[:: max(1, n // audit)][:audit]], Role.AUDIT)
    job = store.claim("test", project.id)
    assert job is not None
    assert job.kind is JobKind.PREPARE
    propose_all(workspace, project)
    store.finish(job.id)
    return project
