"""ProbVLM trained on ImageNet-4 (image, class-text) pairs: does uncertainty rise with recall@1 error?

    python benchmarks/probvlm.py --data DIR [--seeds 2] [--only PART] [--json OUT] [--figure OUT.svg]

Four models a seed, each held out from a quarter of the images (one of four per class) or of the classes, so that all
4,000 images are measured by a model that did not see them. Food10 (test) and CIFAR-10 are measured by all four,
averaged. Recall@1: the image's own class text is the nearest of all texts of its set, by the frozen embeddings.
Intervals are percentiles of a bootstrap over images, of uncertainties averaged over seeds.

Which uncertainty is the primary one is decided, in each fold by images anew, on the other three folds: models trained
on two of them are measured on the third, and the candidate with the best AUROC is taken. What was taken is measured
on the fold, ranked within it: no image has a part in the choice of what measures it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _few_shot_table import cell
from _probvlm_figure import draw
from _probvlm_scores import choose, scores, trainings, validation
from _probvlm_sets import (
    FOLDS,
    SCALE,
    Set,
    covered,
    folds,
    imagenet4,
    inside,
    others,
    rank_of_bins,
    summary,
)
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata, spearmanr
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from probal.evaluation import auroc
from probal.gaussian import GaussianEmbedding, cosine_logits
from probal.probvlm import Pairs, ProbVLM, Settings, train
from probal.probvlm.calibration import LEVELS, calibration_error
from probal.random import torch_generator

SHOWN = {
    "aleatoric": "of the image (aleatoric)",
    "retrieval surprise": "of image and retrieved text",
    "retrieval changes": "of image and all texts",
    "1 − confidence": "CLIP's 1 − confidence",
}
WEIGHTS = (1.0, 3.0, 10.0, 30.0)


def coverages(model: ProbVLM, data: Set) -> dict[str, Tensor]:
    """What the image's distribution covers of its own embedding and of its text's, image by image, [N, L]."""
    density = model.image_density(data.x)
    return {"own": inside(density, data.x), "text": inside(density, data.texts[data.y])}


def measure(
    source: Set,
    more: dict[str, Set],
    by: str,
    seeds: int,
    settings: Settings,
    choices: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    """Spearman, AUROC and coverage on held-out ImageNet-4 and on the other sets; `choices` has one per fold."""
    sums: dict[str, dict[str, Tensor]] = {"ImageNet-4": {}, **{name: {} for name in more}}
    shares: dict[str, dict[str, Tensor]] = defaultdict(dict)
    per_seed: dict[str, list[float]] = defaultdict(list)
    seconds = []
    for seed in range(seeds):
        held: dict[str, Tensor] = defaultdict(lambda: torch.zeros(len(source.x), dtype=torch.float64))
        for fold, out in enumerate(folds(source, by)):
            began = time.perf_counter()
            pairs = Pairs(source.x[~out], source.texts[source.y[~out]])
            model = train(pairs, settings, torch_generator("probvlm", by, seed, fold))
            seconds.append(time.perf_counter() - began)
            for name, data in {"ImageNet-4": source.rows(out), **more}.items():
                for kind, u in scores(model, data, by, seed, fold).items():
                    if name == "ImageNet-4":
                        held[kind][out] = u
                    else:
                        sums[name][kind] = sums[name].get(kind, torch.zeros(())) + u
                rows = out if name == "ImageNet-4" else slice(None)
                models = seeds if name == "ImageNet-4" else seeds * FOLDS
                n = len(source.y) if name == "ImageNet-4" else len(data.y)
                for kind, c in coverages(model, data).items():
                    whole = shares[name].setdefault(kind, torch.zeros(n, len(LEVELS), dtype=torch.float64))
                    whole[rows] += c / models
        for kind, u in held.items():
            sums["ImageNet-4"][kind] = sums["ImageNet-4"].get(kind, torch.zeros(())) + u
            per_seed[kind].append(rank_of_bins(u.numpy(), source.error().numpy()))
    if choices:
        sums["ImageNet-4"] |= chosen(sums["ImageNet-4"], source, by, choices)
    found: dict[str, Any] = {"seconds": float(np.median(seconds)), "spearman_per_seed": dict(per_seed)}
    for name, data in {"ImageNet-4": source, **more}.items():
        found[name] = {
            "n": len(data.y),
            "error": float(data.error().mean()),
            "scores": {kind: summary(u, data.error()) for kind, u in sums[name].items()},
            "coverage": {kind: covered(c) for kind, c in shares[name].items()},
        }
    return found


def chosen(
    found: dict[str, Tensor], source: Set, by: str, choices: list[dict[str, str]]
) -> dict[str, Tensor]:
    """The chosen candidates' scores, each fold ranked within itself, [N]."""
    composed = {kind: torch.zeros(len(source.x), dtype=torch.float64) for kind in choices[0]}
    for choice, out in zip(choices, folds(source, by), strict=True):
        for kind, name in choice.items():
            ranks = rankdata(found[name][out].numpy())
            composed[kind][out] = torch.from_numpy(ranks) / len(ranks)
    return composed


def decide(source: Set, settings: Settings) -> list[dict[str, Any]]:
    """For each fold by images: every candidate on the other three, and what is chosen."""
    found = []
    for fold, out in enumerate(folds(source, "images")):
        measured = validation(source, ~out, settings, fold)
        found.append({"choice": choose(measured), "validation": measured})
    return found


def training(source: Set) -> dict[str, dict[str, dict[str, float]]]:
    """Each way to train, on validation alone: the first fold is left out of it."""
    keep = ~next(folds(source, "images"))
    return {name: validation(source, keep, settings) for name, settings in trainings().items()}


def sweep(source: Set, settings: Settings) -> dict[str, dict[str, list[float]]]:
    """Each λ, fold by fold: what the held-out images say of the intervals and of the errors."""
    records: dict[str, dict[str, list[float]]] = {}
    for weight in WEIGHTS:
        at = replace(settings, cross_weight=weight)
        found: dict[str, list[float]] = defaultdict(list)
        for out in folds(source, "images"):
            held = source.rows(out)
            model = train(Pairs(source.x[~out], source.texts[source.y[~out]]), at, torch_generator("λ"))
            density = model.image_density(held.x)
            found["median β"].append(float(density.beta.flatten().median()))
            found["gap as trained"].append(model.history[model.chosen].calibration_error)
            for kind, c in coverages(model, held).items():
                found[f"gap {kind}"].append(calibration_error(c.mean(0)))
            found["AUROC of aleatoric"].append(
                auroc(density.variance().mean(1).numpy(), held.error().numpy())
            )
        records[f"{weight:g}"] = dict(found)
    return records


def ceilings(source: Set, settings: Settings) -> dict[str, list[float]]:
    """`ceiling` of each fold by images."""
    found: dict[str, list[float]] = defaultdict(list)
    for out in folds(source, "images"):
        for name, value in ceiling(source, settings, out).items():
            found[name].append(value)
    return dict(found)


def ceiling(source: Set, settings: Settings, out: Tensor) -> dict[str, float]:
    """How well could any ambiguity tell errors, and what does it do to the logits? `out` [N] bool is held out."""
    held, seen = source.rows(out), source.rows(~out)
    model = train(Pairs(seen.x, seen.texts[seen.y]), settings, torch_generator("ceiling"))
    density, wrong = model.image_density(held.x), held.error().numpy()
    ambiguity = density.variance().mean(1)
    residual = (held.texts[held.y] - density.mean).square().mean(1)
    taught = LogisticRegression(max_iter=1000).fit(seen.x.numpy(), seen.error().numpy())
    found = {
        "AUROC of ambiguity": auroc(ambiguity.numpy(), wrong),
        "rank correlation of ambiguity and squared residual": float(spearmanr(ambiguity, residual).statistic),
        "AUROC of the true squared residual": auroc(residual.numpy(), wrong),
        "AUROC of a logistic regression on the errors themselves": auroc(
            taught.decision_function(held.x.numpy()), wrong
        ),
    }
    embedding = model.embed_images(held.x, torch_generator("ceiling", "mc"))
    texts, rows = GaussianEmbedding(held.texts), torch.arange(len(held.y))
    for name, var in {
        "no variance": torch.zeros_like(embedding.aleatoric),
        "epistemic": embedding.epistemic,
        "aleatoric and epistemic": embedding.aleatoric + embedding.epistemic,
    }.items():
        logits = cosine_logits(GaussianEmbedding(held.x, var), texts, SCALE)
        found[f"zero-shot NLL with {name}"] = float(-logits.predictive()[rows, held.y].log().mean())
    return found


def show(console: Console, by: str, found: dict[str, Any]) -> None:
    title = f"held out by {by}; {found['seconds']:.0f} s a model"
    table = Table(
        "set", "N", "error", "uncertainty", "Spearman, 10 bins", "AUROC", "error by bin", title=title
    )
    text = "{value:+.2f} [{low:+.2f}, {high:+.2f}]"
    for name, record in found.items():
        for kind, score in (
            record["scores"].items() if isinstance(record, dict) and "scores" in record else ()
        ):
            bins = " ".join(f"{e:.2f}" for e in score["errors"])
            values = (text.format(**score[key]) for key in ("spearman", "auroc"))
            table.add_row(name, str(record["n"]), f"{record['error']:.3f}", kind, *values, bins)
    console.print(table)
    console.print(f"Spearman per seed: {found['spearman_per_seed']}")
    for name, record in found.items():
        for kind, of in (
            record["coverage"].items() if isinstance(record, dict) and "coverage" in record else ()
        ):
            ends = zip(of["levels"], of["coverage"], of["low"], of["high"], strict=True)
            row = " ".join(f"{level}: {c:.3f} [{low:.3f}, {high:.3f}]" for level, c, low, high in ends)
            gap = "{:.3f} [{:.3f}, {:.3f}]".format(of["gap"], *of["gap interval"])
            console.print(f"{name}: coverage of {kind}: {row}; gap {gap}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", choices=("images", "classes", "training", "sweep", "ceiling"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path, help="SVG of the error by bin, images held out")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    features = Path(arguments.data) / "clip_features"
    source, more = imagenet4(features), others(features)
    console = Console(width=200)
    results: dict[str, Any] = {"machine": platform.platform(), "torch": torch.__version__, "folds": FOLDS}

    def wanted(part: str) -> bool:
        return arguments.only in (None, part)

    if wanted("images"):
        results["decided"] = decided = decide(source, Settings())
        choices = [each["choice"] for each in decided]
        console.print("chosen in each fold:", choices)
        results["images"] = measure(source, more, "images", arguments.seeds, Settings(), choices)
        show(console, "images", results["images"])
        if arguments.figure:
            draw(results["images"]["ImageNet-4"]["scores"], SHOWN, arguments.figure)
    if wanted("classes"):
        results["classes"] = measure(source, more, "classes", arguments.seeds, Settings())
        show(console, "classes", results["classes"])
    if wanted("training"):
        results["training"] = training(source)
        for name, found in results["training"].items():
            for kind, values in found.items():
                console.print(
                    f"{name}: {kind}: AUROC {values['auroc']:.3f}, Spearman {values['spearman']:+.2f}"
                )
    if wanted("sweep"):
        results["sweep"] = records = sweep(source, Settings())
        table = Table("λ", *next(iter(records.values())), title=f"mean ± 95 % over {FOLDS} folds by images")
        for weight, record in records.items():
            table.add_row(weight, *(cell(values, 1, 3) for values in record.values()))
        console.print(table)
    if wanted("ceiling"):
        results["ceiling"] = ceilings(source, Settings())
        for name, values in results["ceiling"].items():
            console.print(f"{name}: {cell(values, 1, 3)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
