"""The form for a new project as Streamlit runs it: the encoder is chosen in words."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from probal import previews
from probal.workspace import Workspace
from tests.drawn import SHAPES, draw_shapes
from tests.pages.test_pages import page, texts


def form(tmp_path: Path) -> AppTest:
    draw_shapes(tmp_path / "pool", 4)
    app = page("pool")
    app.text_input[0].set_value(str(tmp_path / "pool")).run()
    return app.text_area[0].set_value("\n".join(SHAPES)).run()


def test_an_encoder_is_chosen_in_words_and_asked_for_the_guesses(
    workspace: Workspace, tmp_path: Path
) -> None:
    app = form(tmp_path)
    assert app.selectbox[0].value == "embedded"
    assert "needs no network" in texts(app)
    app = app.selectbox[0].set_value("auto").run()
    assert "knows more things by their names" in texts(app)
    asked = previews.next_question(workspace)
    assert asked is not None
    assert asked[1].encoder == "auto"
