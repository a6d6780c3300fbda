"""What became of a click: the page drawn anew, or one line that says why nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from probal.errors import UserError
from probal.ui.new_project import escape


def complain(error: UserError) -> None:
    """The error as a sentence, shown as it is whatever Markdown would make of it."""
    text = str(error)
    st.error(escape(text[:1].upper() + text[1:]), icon=":material/error:")


def attempt(change: Callable[[], Any], key: str | None = None, done: str = "") -> None:
    """Make a change and draw the page anew, or say why not.

    Args:
        key: of the session's state, under which the page finds `done` to say it; None to say nothing.
    """
    try:
        change()
    except UserError as error:
        complain(error)
        return
    if key is not None:
        st.session_state[key] = done
    st.rerun()
