"""A pool of coloured noise and an encoder that sees colours: the whole loop in a second, no weights."""

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from probal.encoders.base import ImageTower
from probal.session import Session
from probal.types import Event, EventKind, Project, Role
from probal.workspace import Workspace

COLOURS = {"red": (200, 40, 40), "green": (40, 190, 60), "blue": (50, 60, 200)}

SKEWED = {"red": (1.0, 0.8, -1.0), "green": (-1.0, 0.5, 1.0), "blue": (0.6, -1.0, 0.5)}
"""Class rows, off their colours: zero-shot is better than chance and leaves something to learn."""


class ColourEncoder(ImageTower):
    """Mean colour of each quarter, 12 wide."""

    id = "colour"
    fingerprint = "c0102a"
    width = 12
    scale = 15.0
    centred = True
    default_template = "{}"

    def prepare(self, image: Image.Image) -> np.ndarray:
        return np.asarray(image.resize((2, 2), Image.Resampling.BOX), np.float32).reshape(-1) / 255

    def encode_prepared(self, batch: np.ndarray) -> np.ndarray:
        return batch

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([np.tile(SKEWED[text], 4) for text in texts], np.float32)


@pytest.fixture(autouse=True)
def colour_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probal.session.vectors.load_encoder", lambda encoder_id: ColourEncoder())


def draw_pool(root: Path, n: int, seed: int = 0, tint: tuple[int, int, int] = (0, 0, 0)) -> dict[str, str]:
    """n noisy coloured squares, all moved by `tint`; the class of each by relative path."""
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    truth = {}
    for i in range(n):
        name = list(COLOURS)[int(rng.integers(3))]
        pixels = np.clip(
            np.array(COLOURS[name]) + tint + rng.normal(0, 70, (8, 8, 3)) + rng.normal(0, 40, 3), 0, 255
        )
        path = f"{seed}-{i:03d}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(root / path)
        truth[path] = name
    return truth


@pytest.fixture
def truth(tmp_path: Path) -> dict[str, str]:
    return draw_pool(tmp_path / "images", 90)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def project(workspace: Workspace, truth: dict[str, str], tmp_path: Path) -> Project:
    return workspace.create_project(
        "colours", images=tmp_path / "images", classes=list(COLOURS), batch_size=6
    )


@pytest.fixture
def session(workspace: Workspace, project: Project) -> Session:
    """Prepared: scanned, embedded, audit drawn, round 0 proposed."""
    made = Session(workspace, project.name)
    made.prepare()
    return made


def label(session: Session, truth: dict[str, str], image_ids: Sequence[int]) -> list[str]:
    """Label images truthfully; the event ids."""
    images = {image.id: image for image in session.store.images(session.project.id)}
    class_id = {each.name: each.id for each in session.classes}
    events = [
        Event(str(uuid4()), EventKind.LABEL, "oracle", image_id=i, class_id=class_id[truth[images[i].path]])
        for i in image_ids
    ]
    result = session.record(events)
    assert result.rejected == ()
    return list(result.accepted)


def audit_ids(session: Session) -> list[int]:
    return [image.id for image in session.store.images(session.project.id, role=Role.AUDIT)]
