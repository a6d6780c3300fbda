"""People: who labels, how fast, and how far they agree."""

from __future__ import annotations

import streamlit as st

from probal.ui.context import require_project

project = require_project()
st.title("People", anchor=False)
