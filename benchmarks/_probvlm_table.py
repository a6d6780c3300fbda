"""The tables of docs/probvlm.md from what `probvlm.py --json` wrote.

python benchmarks/_probvlm_table.py benchmarks/results/probvlm_images.json benchmarks/results/probvlm_classes.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHOWN = {
    "chosen, image alone": "chosen, image alone",
    "chosen, retrieved pair": "**retrieval surprise** (chosen, pair)",
    "retrieval surprise": "retrieval surprise",
    "retrieval changes": "retrieval changes",
    "image + text aleatoric": "aleatoric of image and retrieved text",
    "image's surprise": "image's surprise",
    "aleatoric": "aleatoric",
    "log aleatoric": "log aleatoric",
    "both": "aleatoric + epistemic",
    "epistemic": "epistemic",
    "acquisition score": "acquisition score",
}
WITHOUT = {"1 − cosine": "CLIP's 1 − cosine", "1 − confidence": "CLIP's 1 − confidence"}
"""Need no ProbVLM, so no folds."""
LEVELS = ("0.5", "0.8", "0.9")
BY = ("images", "classes")


def scores(results: dict[str, Any]) -> Iterator[str]:
    """Rows of the table of uncertainties, set by set."""
    for name in sets(results):
        for by in results:
            of = results[by][name]["scores"]
            # the chosen one is the same candidate in every fold; only ImageNet-4 has it composed
            for kind, told in SHOWN.items():
                if kind in of and not (kind == "retrieval surprise" and "chosen, retrieved pair" in of):
                    yield row(name, by, told, of[kind])
        for kind, told in WITHOUT.items():
            yield row(name, "–", told, results[next(iter(results))][name]["scores"][kind])


def row(name: str, by: str, told: str, score: dict[str, Any]) -> str:
    text = "{value:.2f} [{low:.2f}, {high:.2f}]"
    cells = [text.format(**score[key]).replace("-", "−") for key in ("spearman", "auroc")]
    return (
        f"| {name} | {by} | {told} | {' | '.join(cells)} | {' '.join(f'{e:.2f}' for e in score['errors'])} |"
    )


def intervals(results: dict[str, Any]) -> Iterator[str]:
    """Rows of the table of coverage."""
    for name in sets(results):
        for by in results:
            for kind, told in (("text", "its text"), ("own", "its own embedding")):
                of = results[by][name]["coverage"][kind]
                at = [[f"{level:.1f}" for level in of["levels"]].index(level) for level in LEVELS]
                cells = [f"{of['coverage'][i]:.3f} [{of['low'][i]:.3f}, {of['high'][i]:.3f}]" for i in at]
                gap = "{:.3f} [{:.3f}, {:.3f}]".format(of["gap"], *of["gap interval"])
                yield f"| {name} | {by} | {told} | {' | '.join(cells)} | {gap} |"


def sets(results: dict[str, Any]) -> list[str]:
    first = next(iter(results.values()))
    return [name for name, record in first.items() if isinstance(record, dict) and "scores" in record]


def main() -> None:
    found: dict[str, Any] = {}
    for path in sys.argv[1:]:
        found |= {by: part for by, part in json.loads(Path(path).read_text("utf-8")).items() if by in BY}
    print("\n".join([*scores(found), "", *intervals(found)]))


if __name__ == "__main__":
    main()
