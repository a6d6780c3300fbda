"""Accuracy over labels in panels, each line with its interval over seeds, as one SVG."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#E69F00")
WIDE, HIGH, LEFT, TOP, BOTTOM = 400, 280, 46, 30, 36


@dataclass(frozen=True)
class Line:
    """A mean with its interval at each of `x`."""

    label: str
    x: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Panel:
    title: str
    lines: list[Line]
    x_title: str = "answers"
    bottom: float = 0.0
    """Accuracy where the vertical axis begins; it ends at 1."""


def draw(panels: list[Panel], to: Path) -> None:
    """Two panels a row."""
    rows = (len(panels) + 1) // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDE} {rows * HIGH}" font-family="sans-serif" '
        f'font-size="11"><rect width="{2 * WIDE}" height="{rows * HIGH}" fill="white"/>'
    ]
    for i, panel in enumerate(panels):
        parts.append(f'<g transform="translate({i % 2 * WIDE} {i // 2 * HIGH})">')
        parts += [*_panel(panel), "</g>"]
    to.write_text("\n".join([*parts, "</svg>", ""]), "utf-8")


def _panel(panel: Panel) -> list[str]:
    across, up = WIDE - LEFT - 12, HIGH - TOP - BOTTOM
    end = max(line.x[-1] for line in panel.lines)

    def at(x: float, y: float) -> str:
        share = (min(max(y, panel.bottom), 1.0) - panel.bottom) / (1 - panel.bottom)
        return f"{LEFT + across * x / end:.1f},{TOP + up * (1 - share):.1f}"

    parts = [f'<text x="{LEFT}" y="18" font-weight="bold">{escape(panel.title)}</text>']
    for step in range(6):
        y, each = TOP + up * (1 - step / 5), round(100 * (panel.bottom + (1 - panel.bottom) * step / 5), 1)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDE - 12}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{each:g} %</text>')
    for step in range(5):
        x = end * step / 4
        place = at(x, 0).split(",")[0]
        parts.append(f'<text x="{place}" y="{HIGH - BOTTOM + 14}" text-anchor="middle">{x:.0f}</text>')
    parts.append(
        f'<text x="{LEFT + across / 2}" y="{HIGH - 6}" text-anchor="middle">{escape(panel.x_title)}</text>'
    )
    for k, line in enumerate(panel.lines):
        colour = COLOURS[k % len(COLOURS)]
        band = [at(x, y) for x, y in zip(line.x, line.high, strict=True)]
        band += [at(x, y) for x, y in zip(line.x[::-1], line.low[::-1], strict=True)]
        parts.append(f'<polygon points="{" ".join(band)}" fill="{colour}" opacity="0.15"/>')
        mean = " ".join(at(x, y) for x, y in zip(line.x, line.mean, strict=True))
        parts.append(f'<polyline points="{mean}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = HIGH - BOTTOM - 10 - 15 * (len(panel.lines) - 1 - k)
        parts.append(f'<path d="M{WIDE - 190} {y - 4}h18" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{WIDE - 166}" y="{y}">{escape(line.label)}</text>')
    return parts
