"""Error by bins of rising uncertainty, as an SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#8c8c8c")
WIDE, HIGH, LEFT, BOTTOM = 640, 320, 60, 40


def draw(scores: dict[str, Any], shown: dict[str, str], to: Path) -> None:
    """One line per score of `shown` {name: label}, error over the ten bins, with its Spearman in the legend."""
    bins = len(next(iter(scores.values()))["errors"])
    across, up = WIDE - LEFT - 16, HIGH - BOTTOM - 16
    top = max(max(scores[name]["errors"]) for name in shown) or 1.0

    def at(i: int, error: float) -> tuple[float, float]:
        return LEFT + across * (i + 0.5) / bins, HIGH - BOTTOM - up * error / top

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDE}" height="{HIGH}" fill="white"/>'
    ]
    for step in range(5):
        error = top * step / 4
        y = at(0, error)[1]
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDE - 16}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{error:.2f}</text>')
    for i in range(bins):
        parts.append(
            f'<text x="{at(i, 0)[0]:.1f}" y="{HIGH - BOTTOM + 16}" text-anchor="middle">{i + 1}</text>'
        )
    parts.append(
        f'<text x="{LEFT + across / 2}" y="{HIGH - 6}" text-anchor="middle">bin of uncertainty</text>'
    )
    middle = f"12 {16 + up / 2:.0f}"
    parts.append(
        f'<text transform="translate({middle}) rotate(-90)" text-anchor="middle">recall@1 error</text>'
    )
    for k, (name, label) in enumerate(shown.items()):
        colour, score = COLOURS[k % len(COLOURS)], scores[name]
        points = [at(i, error) for i, error in enumerate(score["errors"])]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        y = 24 + 18 * k
        parts.append(f'<path d="M{LEFT + 12} {y - 4}h20" stroke="{colour}" stroke-width="2"/>')
        value = score["spearman"]["value"]
        parts.append(f'<text x="{LEFT + 38}" y="{y}">{label}: Spearman {value:.2f}</text>')
    to.write_text("\n".join([*parts, "</svg>", ""]), "utf-8")
