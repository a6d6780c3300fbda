"""Tables of the few-shot benchmark in Markdown, from its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from _few_shot_data import SETS
from _few_shot_methods import METHODS, NAMES
from scipy.stats import t as student

METRICS = {
    "accuracy": ("accuracy, %", 100, 1),
    "nll": ("NLL, nats", 1, 3),
    "ece": ("debiased ECE, %", 100, 1),
    "aurc": ("AURC, %", 100, 2),
}
"""Metric -> heading, factor and digits."""


def cell(values: Sequence[float], factor: float, digits: int) -> str:
    """Mean ± half of Student's 95 % interval over seeds; the mean alone of a single one."""
    if not len(values):
        return "–"
    mean = f"{np.mean(values) * factor:.{digits}f}"
    if len(values) == 1:
        return mean
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{mean} ± {half * factor:.{digits}f}"


def write_tables(results: list[dict[str, Any]]) -> str:
    """A summary over shots, then every metric by set, method and shots, then seconds."""
    sets = [name for name in SETS if any(each["set"] == name for each in results)]
    machines = sorted({each["machine"] for each in results})
    lines = [
        "# Few-shot benchmark: all tables",
        "",
        "Written by `benchmarks/few_shot.py --table`; not edited by hand. Mean ± half of Student's 95 % interval",
        f"over seeds. Machine: {'; '.join(machines)}.",
        "",
        "## Mean over shots",
        "",
        "Of the same seeds and shots for all. A method run on half of them or fewer is left out here, not below.",
    ]
    for name in sets:
        lines += ["", f"### {name}", "", *_summary([each for each in results if each["set"] == name])]
    lines += [
        "",
        "## BayesAdapter (Laplace) less the others",
        "",
        "Of the means over shots, paired by seed.",
        *_paired(results, sets),
    ]
    for name in sets:
        mine = [each for each in results if each["set"] == name]
        for metric, (heading, factor, digits) in METRICS.items():
            lines += ["", f"## {name}: {heading}", "", *_by_shots(mine, metric, factor, digits)]
        lines += ["", f"## {name}: seconds to fit", "", *_by_shots(mine, "fit_seconds", 1, 2)]
    return "\n".join(lines) + "\n"


def _methods(results: list[dict[str, Any]]) -> list[str]:
    return [method for method in METHODS if any(each["method"] == method for each in results)]


def _summary(results: list[dict[str, Any]]) -> list[str]:
    held = {
        method: {(r["shots"], r["seed"]) for r in results if r["method"] == method}
        for method in _methods(results)
    }
    most = max(len(pairs) for pairs in held.values())
    methods = [method for method, pairs in held.items() if 2 * len(pairs) > most]
    fewer = [f"{NAMES[method]} ({len(held[method])} of {most})" for method in held if method not in methods]
    common = set.intersection(*(held[method] for method in methods))
    seeds, shots = sorted({seed for _, seed in common}), sorted({shots for shots, _ in common})
    whole = [seed for seed in seeds if all((s, seed) in common for s in shots)]
    lines = [
        f"Shots {', '.join(map(str, shots))}; {len(whole)} seeds.",
        *(["", f"Left out, with fits: {'; '.join(fewer)}."] if fewer else []),
        "",
        "| Method | " + " | ".join(heading for heading, _, _ in METRICS.values()) + " |",
        "|---|" + "---:|" * len(METRICS),
    ]
    for method in methods:
        at = {(r["shots"], r["seed"]): r for r in results if r["method"] == method}
        cells = [
            cell([np.mean([at[s, seed][metric] for s in shots]) for seed in whole], factor, digits)
            for metric, (_, factor, digits) in METRICS.items()
        ]
        lines.append(f"| {NAMES[method]} | " + " | ".join(cells) + " |")
    return lines


def _paired(results: list[dict[str, Any]], sets: Sequence[str]) -> list[str]:
    """Rows of `bayes` less each other method, over the shots and seeds that both have."""
    lines = ["", "| Set | Less | " + " | ".join(heading for heading, _, _ in METRICS.values()) + " |"]
    lines.append("|---|---|" + "---:|" * len(METRICS))
    for name in sets:
        mine = [each for each in results if each["set"] == name]
        held = {m: {(r["seed"], r["shots"]): r for r in mine if r["method"] == m} for m in _methods(mine)}
        for method, theirs in held.items():
            common = sorted(set(theirs) & set(held.get("bayes", {})))
            if method == "bayes" or not common:
                continue
            cells = []
            for metric, (_, factor, digits) in METRICS.items():
                by_seed: dict[int, list[float]] = {}
                for key in common:
                    by_seed.setdefault(key[0], []).append(held["bayes"][key][metric] - theirs[key][metric])
                cells.append(cell([np.mean(values) for values in by_seed.values()], factor, digits))
            lines.append(f"| {name} | {NAMES[method]} | " + " | ".join(cells) + " |")
    return lines


def _by_shots(results: list[dict[str, Any]], metric: str, factor: float, digits: int) -> list[str]:
    shots = sorted({each["shots"] for each in results})
    lines = ["| Method | " + " | ".join(map(str, shots)) + " |", "|---|" + "---:|" * len(shots)]
    for method in _methods(results):
        cells = [
            cell(
                [r[metric] for r in results if r["method"] == method and r["shots"] == s],
                factor,
                digits,
            )
            for s in shots
        ]
        lines.append(f"| {NAMES[method]} | " + " | ".join(cells) + " |")
    return lines
