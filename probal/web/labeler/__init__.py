"""The labeling surface: its scripts and style as two strings. `probal.ui` hands them to Streamlit.

The scripts are parts of one ES module, joined here in the order of use; there is no build step.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

SCRIPTS = (
    "api.js",
    "queue.js",
    "pictures.js",
    "stream.js",
    "keymap.js",
    "why.js",
    "zoom.js",
    "strip.js",
    "finder.js",
    "header.js",
    "view.js",
    "dialogs.js",
    "person.js",
    "gridview.js",
    "grid.js",
    "label.js",
    "keys.js",
    "mount.js",
)
"""Parts of the module; the last one holds its default export."""
STYLES = ("label.css", "grid.css")

_HERE = Path(__file__).parent


@cache
def script() -> str:
    """The module: its default export takes `{parentElement, data}` and returns a cleanup function."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)


@cache
def style() -> str:
    """The stylesheet; every rule is bound to a class that starts with `pal`."""
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in STYLES)
