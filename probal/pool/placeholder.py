"""What the browser shows of an item that has a vector and no picture: a card with its name."""

from __future__ import annotations

import textwrap
from xml.sax.saxutils import escape

_LINE = 26  # characters
_LINES = 6
_SIDE = 640  # of the drawing's own units


def placeholder_svg(name: str, size: int) -> bytes:
    """A square card of `size` pixels that says the name of the item, as SVG in UTF-8."""
    printable = "".join(char if char.isprintable() else " " for char in name)
    lines = textwrap.wrap(printable, _LINE) or [""]
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], "… " + lines[-1]]
    top = _SIDE / 2 - 24 * (len(lines) - 1)
    text = "".join(
        f'<text x="{_SIDE / 2:g}" y="{top + 48 * i:g}">{escape(line)}</text>' for i, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 {_SIDE} {_SIDE}">'
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="#eef1f5"/>'
        f'<rect x="12" y="12" width="{_SIDE - 24}" height="{_SIDE - 24}" rx="18" fill="none" stroke="#a7b0bd" '
        'stroke-width="3" stroke-dasharray="12 10"/>'
        '<g font-family="system-ui, sans-serif" text-anchor="middle" dominant-baseline="middle" fill="#243040" '
        f'font-size="38">{text}</g>'
        f'<text x="{_SIDE / 2:g}" y="{_SIDE - 52}" font-family="system-ui, sans-serif" text-anchor="middle" '
        'fill="#66707e" font-size="24">no picture: this item has a vector only</text></svg>'
    ).encode()
