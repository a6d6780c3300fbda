"""The form for a new project as Streamlit runs it: the encoder is chosen in words."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from probal import previews
from probal.workspace import Workspace
from tests.drawn import SHAPES, draw_shapes
from tests.pages.test_pages import Make, page, press, texts


def form(tmp_path: Path) -> AppTest:
    draw_shapes(tmp_path / "pool", 4)
    app = page("pool")
    app.text_input[0].set_value(str(tmp_path / "pool")).run()
    return app.text_area[0].set_value("\n".join(SHAPES)).run()


def test_a_new_project_stays_though_a_refresh_brings_the_old_address(
    ready: Make, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready("old")
    now = time.monotonic()
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr("probal.ui.context.time", clock)
    draw_shapes(tmp_path / "fresh", 4)
    app = press(page("pool", "old"), "New project")
    app.text_input[0].set_value(str(tmp_path / "fresh")).run()
    app.text_area[0].set_value("\n".join(SHAPES)).run()
    app = press(app, "Create project")
    assert app.query_params["project"] == "fresh"
    app.query_params["project"] = "old"  # what a timed refresh that was under way carries
    app = app.run()
    assert app.title[0].value == "fresh"
    assert app.query_params["project"] in ("fresh", ["fresh"])
    # later the address counts: the browser's back button
    clock.monotonic = lambda: now + 60
    app.query_params["project"] = "old"
    assert app.run().title[0].value == "old"


def test_an_encoder_is_chosen_in_words_and_asked_for_the_guesses(
    workspace: Workspace, tmp_path: Path
) -> None:
    app = form(tmp_path)
    assert "4 image files, subfolders included." in texts(app)
    assert app.selectbox[0].value == "embedded"
    assert "needs no network" in texts(app)
    app = app.selectbox[0].set_value("auto").run()
    assert "knows more things by their names" in texts(app)
    asked = previews.next_question(workspace)
    assert asked is not None
    assert asked[1].encoder == "auto"
