"""Reliability of BayesAdapter and of CLAP, its mode at the encoder's own scale, at one and sixteen shots: one SVG.

    python benchmarks/bayesadapter_figure.py [--data DIR] [--seeds 10] [--json RESULTS] [--svg FILE]

The draws of `few_shot.py`: labels at random, the same for both, at most 1,000 test images. Predictions of all seeds
are pooled in ten bins of confidence; a point is a bin's accuracy over its mean confidence, its area the share of
predictions in it, its bar a 95 % interval of a bootstrap over seeds. Bins of fewer than 20 predictions are left out.
Without --data the figure is drawn again from the committed results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _few_shot_data import draw as draw_labels
from _few_shot_methods import METHODS, NAMES
from _few_shot_table import cell

from probal.evaluation import debiased_ece

RESULTS = Path(__file__).parent / "results" / "bayesadapter_figure.json"
SVG = Path(__file__).parents[1] / "docs" / "images" / "bayesadapter.svg"
SHOWN = {"clap": "#dd8452", "bayes": "#4c72b0"}
SETS = {"food10": "Food10", "cifar10": "CIFAR-10"}
SHOTS = (1, 16)
BINS, FEWEST, RESAMPLES, TEST = 10, 20, 1000, 1000
SIDE, LEFT, TOP, BOTTOM = 320, 44, 30, 40


def predictions(
    data: Path, name: str, shots: int, method: str, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Confidence and whether it is right of each test image, [Nt] each, and the debiased ECE."""
    labels = draw_labels(data, name, shots, seed, TEST)
    probs = METHODS[method](labels, seed)().double().numpy()
    probs /= probs.sum(1, keepdims=True)
    off = debiased_ece(probs, labels.test_y, generator=np.random.default_rng(seed))
    return probs.max(1), probs.argmax(1) == labels.test_y, off


def pooled(found: list[tuple[np.ndarray, np.ndarray, float]]) -> dict[str, Any]:
    """Bins of all seeds together, intervals by drawing whole seeds."""

    def sums(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
        at = np.minimum((confidence * BINS).astype(int), BINS - 1)
        return np.stack([np.bincount(at, w, BINS) for w in (np.ones(len(at)), confidence, right)])

    each = np.stack([sums(confidence, right) for confidence, right, _ in found])  # [seeds, 3, bins]
    rng = np.random.default_rng(0)
    drawn = np.stack([each[rng.integers(len(each), size=len(each))].sum(0) for _ in range(RESAMPLES)])
    count, confidence, right = each.sum(0)
    points = []
    for k in np.flatnonzero(count >= FEWEST):
        filled = drawn[:, 0, k] > 0
        low, high = np.quantile(drawn[filled, 2, k] / drawn[filled, 0, k], (0.025, 0.975))
        share = count[k] / count.sum()
        points.append([float(x) for x in (confidence[k] / count[k], right[k] / count[k], low, high, share)])
    return {"points": points, "debiased ECE": [off for _, _, off in found]}


def measure(data: Path, seeds: int) -> dict[str, dict[str, Any]]:
    """By panel, then by method."""
    return {
        f"{title}, {shots} label{'s' if shots > 1 else ''} a class": {
            method: pooled([predictions(data, name, shots, method, seed) for seed in range(seeds)])
            for method in SHOWN
        }
        for name, title in SETS.items()
        for shots in SHOTS
    }


def panel(title: str, methods: dict[str, Any]) -> list[str]:
    across, up = SIDE - LEFT - 20, SIDE - TOP - BOTTOM

    def at(confidence: float, accuracy: float) -> tuple[float, float]:
        return LEFT + across * confidence, TOP + up * (1 - accuracy)

    parts = [f'<text x="{LEFT}" y="18" font-weight="bold">{title}</text>']
    for step in range(6):
        x, y = at(step / 5, step / 5)
        parts.append(f'<path d="M{LEFT} {y:.1f}h{across}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{20 * step} %</text>')
        parts.append(f'<text x="{x:.1f}" y="{SIDE - BOTTOM + 15}" text-anchor="middle">{20 * step} %</text>')
    parts.append(f'<text x="{LEFT + across / 2}" y="{SIDE - 6}" text-anchor="middle">confidence</text>')
    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    parts.append(f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="#888" stroke-dasharray="4 4"/>')
    for k, (method, found) in enumerate(methods.items()):
        colour, shift = SHOWN[method], 2 * k - 1  # intervals stand beside each other
        line = " ".join("{:.1f},{:.1f}".format(*at(c, a)) for c, a, *_ in found["points"])
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        for confidence, accuracy, low, high, share in found["points"]:
            x, y = at(confidence, accuracy)
            ends = f"M{x + shift:.1f} {at(0, low)[1]:.1f}V{at(0, high)[1]:.1f}"
            parts.append(f'<path d="{ends}" stroke="{colour}" stroke-width="1.5"/>')
            radius = 2 + 9 * share**0.5
            circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"'
            parts.append(f'{circle} fill="{colour}" opacity="0.7"/>')
        y, off = SIDE - BOTTOM - 26 + 16 * k, cell(found["debiased ECE"], 100, 1).replace("-", "−")
        legend = f"{NAMES[method]}: ECE {off} %"
        parts.append(f'<text x="{SIDE - 24}" y="{y}" fill="{colour}" text-anchor="end">{legend}</text>')
    return parts


def draw(panels: dict[str, Any], to: Path) -> None:
    """Sets above each other, shots beside each other."""
    rows = (len(panels) + 1) // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * SIDE} {rows * SIDE}" font-family="sans-serif" '
        f'font-size="11"><rect width="{2 * SIDE}" height="{rows * SIDE}" fill="white"/>'
    ]
    for i, (title, methods) in enumerate(panels.items()):
        parts += [
            f'<g transform="translate({i % 2 * SIDE} {i // 2 * SIDE})">',
            *panel(title, methods),
            "</g>",
        ]
    to.write_text("\n".join([*parts, "</svg>", ""]), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--svg", type=Path, default=SVG)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.data is not None:
        machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
        results = {"machine": machine, "seeds": arguments.seeds}
        results["panels"] = measure(arguments.data, arguments.seeds)
        arguments.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    panels = json.loads(arguments.json.read_text("utf-8"))["panels"]
    draw(panels, arguments.svg)
    for title, methods in panels.items():
        for method, found in methods.items():
            print(f"{title}: {NAMES[method]}: debiased ECE {cell(found['debiased ECE'], 100, 1)} %")
            bins = (f"{c:.2f}: {a:.2f} [{low:.2f}, {high:.2f}]" for c, a, low, high, _ in found["points"])
            print("    " + ", ".join(bins))


if __name__ == "__main__":
    main()
