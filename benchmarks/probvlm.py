"""ProbVLM trained on ImageNet-4 (image, class-text) pairs: does uncertainty rise with recall@1 error?

    python benchmarks/probvlm.py --data ../shared/data [--seeds 3] [--json OUT]

Four models a seed, each held out from a quarter of the images (one of four per class) or of the classes, so that all
4,000 images are measured by a model that did not see them. Food10 (test) and CIFAR-10 are measured by all four,
averaged. Recall@1: the image's own class text is the nearest of all texts of its set, by the frozen embeddings.
Intervals are percentiles of a bootstrap over images, of uncertainties averaged over seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata, spearmanr
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from probal.gaussian import GaussianEmbedding, cosine_logits
from probal.probvlm import Pairs, ProbVLM, Settings, nearest_to_samples, train
from probal.probvlm.calibration import LEVELS, bins_of, calibration_error, coverage
from probal.random import torch_generator

FOLDS, BINS, RESAMPLES, SCALE = 4, 10, 1000, 100.0
SAMPLES, CHUNK = 32, 250
WEIGHTS = (1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class Set:
    x: Tensor  # [N, D] unit
    y: Tensor  # [N]
    texts: Tensor  # [C, D] unit

    def error(self) -> Tensor:
        """1 where recall@1 fails, [N]."""
        return ((self.x @ self.texts.mT).argmax(1) != self.y).double()

    def plain(self) -> Tensor:
        """1 − the largest softmax probability at CLIP's scale, [N]: no ProbVLM in it."""
        return 1 - (SCALE * self.x @ self.texts.mT).softmax(1).max(1).values


def read(path: Path, x: str, y: str) -> Set:
    with np.load(path, allow_pickle=False) as found:
        unit = [torch.nn.functional.normalize(torch.from_numpy(found[k].astype("f4"))) for k in (x, "text_x")]
        return Set(unit[0], torch.from_numpy(found[y]), unit[1])


def folds(source: Set, by: str) -> Iterator[Tensor]:
    """Masks [N] of what is held out; images of a class stand together in the file, `order` counts them."""
    order = torch.cat([torch.arange(int(n)) for n in source.y.unique_consecutive(return_counts=True)[1]])
    for fold in range(FOLDS):
        yield (order if by == "images" else source.y) % FOLDS == fold


def changes(model: ProbVLM, data: Set, *seed: object) -> Tensor:
    """Share of an image's samples whose nearest text is not the frozen embedding's, [N]."""
    generator, parts = torch_generator("samples", *seed), []
    for x in data.x.split(CHUNK):  # [chunk, K, C] of cosines at a time
        nearest, _ = nearest_to_samples(model.image_density(x), data.texts, SAMPLES, generator)
        parts.append((nearest != (x @ data.texts.mT).argmax(1)[:, None]).double().mean(1))
    return torch.cat(parts)


def scores(model: ProbVLM, data: Set, *seed: object) -> dict[str, Tensor]:
    found = model.embed_images(data.x, torch_generator("mc", *seed))
    return {
        "retrieval changes": changes(model, data, *seed),
        "aleatoric": found.ambiguity().double(),
        "epistemic": found.ignorance().double(),
        "both": (found.ambiguity() + found.ignorance()).double(),
    }


def coverages(model: ProbVLM, data: Set) -> dict[str, Tensor]:
    """Coverage [L] of the image's distribution over its own embedding and over its text's."""
    density = model.image_density(data.x)
    return {"own": coverage(density, data.x), "text": coverage(density, data.texts[data.y])}


def auroc(score: np.ndarray, wrong: np.ndarray) -> float:
    positive = int(wrong.sum())
    ranks = rankdata(score)[wrong > 0].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * (len(wrong) - positive)))


def rank_of_bins(score: np.ndarray, wrong: np.ndarray) -> float:
    found = bins_of(torch.from_numpy(score), torch.from_numpy(wrong), BINS)
    return float(spearmanr([b.uncertainty for b in found], [b.error for b in found]).statistic)


def summary(score: Tensor, wrong: Tensor) -> dict[str, Any]:
    u, e = score.double().numpy(), wrong.numpy()
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(e), size=len(e)) for _ in range(RESAMPLES)]
    found: dict[str, Any] = {"errors": [b.error for b in bins_of(score, wrong, BINS)]}
    for name, measure in (("spearman", rank_of_bins), ("auroc", auroc)):
        resampled = [measure(u[i], e[i]) for i in drawn]
        low, high = np.nanquantile(resampled, [0.025, 0.975])
        found[name] = {"value": measure(u, e), "low": float(low), "high": float(high)}
    return found


def measure(source: Set, others: dict[str, Set], by: str, seeds: int, settings: Settings) -> dict[str, Any]:
    """Spearman, AUROC and coverage on held-out ImageNet-4 and on the other sets."""
    sums: dict[str, dict[str, Tensor]] = {}
    inside: dict[str, dict[str, list[Tensor]]] = {}
    per_seed: dict[str, list[float]] = {}
    seconds = []
    for seed in range(seeds):
        held: dict[str, Tensor] = {}
        for fold, out in enumerate(folds(source, by)):
            began = time.perf_counter()
            pairs = Pairs(source.x[~out], source.texts[source.y[~out]])
            model = train(pairs, settings, torch_generator("probvlm", by, seed, fold))
            seconds.append(time.perf_counter() - began)
            own = Set(source.x[out], source.y[out], source.texts)
            for name, data in {"ImageNet-4": own, **others}.items():
                for kind, u in scores(model, data, by, seed, fold).items():
                    if name == "ImageNet-4":
                        held.setdefault(kind, torch.zeros(len(source.x), dtype=torch.float64))[out] = u
                    else:
                        total = sums.setdefault(name, {})
                        total[kind] = total.get(kind, torch.zeros(())) + u
                for kind, c in coverages(model, data).items():
                    inside.setdefault(name, {}).setdefault(kind, []).append(c)
        for kind, u in held.items():
            total = sums.setdefault("ImageNet-4", {})
            total[kind] = total.get(kind, torch.zeros(())) + u
            per_seed.setdefault(kind, []).append(rank_of_bins(u.numpy(), source.error().numpy()))
    found: dict[str, Any] = {"seconds": float(np.median(seconds)), "spearman_per_seed": per_seed}
    for name, data in {"ImageNet-4": source, **others}.items():
        found[name] = {"n": len(data.y), "error": float(data.error().mean())}
        found[name]["scores"] = {
            kind: summary(u, data.error()) for kind, u in {**sums[name], "plain": data.plain()}.items()
        }
        mean = {kind: torch.stack(c).mean(0) for kind, c in inside[name].items()}
        found[name]["coverage"] = {kind: c.tolist() for kind, c in mean.items()}
        found[name]["gap"] = {kind: calibration_error(c) for kind, c in mean.items()}
    return found


def sweep(source: Set, settings: Settings) -> list[dict[str, float]]:
    """One fold at each λ: what the held-out images say of the intervals and of the errors."""
    out = next(folds(source, "images"))
    held = Set(source.x[out], source.y[out], source.texts)
    records = []
    for weight in WEIGHTS:
        chosen = replace(settings, cross_weight=weight)
        model = train(Pairs(source.x[~out], source.texts[source.y[~out]]), chosen, torch_generator("λ"))
        inside = {kind: calibration_error(c) for kind, c in coverages(model, held).items()}
        records.append(
            {
                "λ": weight,
                "median β": float(model.image_density(held.x).beta.flatten().median()),
                "gap as trained": model.history[model.chosen].calibration_error,
                "gap own": inside["own"],
                "gap text": inside["text"],
                "AUROC of aleatoric": auroc(
                    model.image_density(held.x).variance().mean(1).numpy(), held.error().numpy()
                ),
            }
        )
    return records


def ceiling(source: Set, settings: Settings) -> dict[str, float]:
    """One fold by images: how well could any ambiguity tell errors, and what does it do to the logits?"""
    out = next(folds(source, "images"))
    held, seen = (Set(source.x[rows], source.y[rows], source.texts) for rows in (out, ~out))
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
    title = f"held out by {by}; {found['seconds']:.0f} s a model; per seed {found['spearman_per_seed']}"
    table = Table(
        "set", "N", "error", "uncertainty", "Spearman, 10 bins", "AUROC", "error by bin", title=title
    )
    text = "{value:+.2f} [{low:+.2f}, {high:+.2f}]"
    for name in ("ImageNet-4", "Food10", "CIFAR-10"):
        for kind, record in found[name]["scores"].items():
            bins = " ".join(f"{e:.2f}" for e in record["errors"])
            values = (text.format(**record[key]) for key in ("spearman", "auroc"))
            table.add_row(name, str(found[name]["n"]), f"{found[name]['error']:.3f}", kind, *values, bins)
    console.print(table)
    for name in ("ImageNet-4", "Food10", "CIFAR-10"):
        for kind, values in found[name]["coverage"].items():
            row = " ".join(f"{value:.3f}" for value in values)
            console.print(
                f"{name}: coverage of {kind} at {LEVELS}: {row}; gap {found[name]['gap'][kind]:.3f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=("images", "classes", "sweep", "ceiling"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    features = Path(arguments.data) / "clip_features"
    source = read(features / "imagenet_train4_vitb32_with_text.npz", "train4_x", "train4_y")
    others = {
        "Food10": read(features / "food10_vitb32.npz", "test_x", "test_y"),
        "CIFAR-10": read(features / "cifar10_test500_vitb32.npz", "x", "y"),
    }
    console = Console(width=200)
    results: dict[str, Any] = {"machine": platform.platform(), "torch": torch.__version__}
    for by in ("images", "classes"):
        if arguments.only in (None, by):
            results[by] = measure(source, others, by, arguments.seeds, Settings())
            show(console, by, results[by])
    if arguments.only in (None, "sweep"):
        results["sweep"] = records = sweep(source, Settings())
        table = Table(*records[0], title="λ, one fold by images")
        for record in records:
            table.add_row(*(f"{value:.3f}" for value in record.values()))
        console.print(table)
    if arguments.only in (None, "ceiling"):
        results["ceiling"] = found = ceiling(source, Settings())
        for name, value in found.items():
            console.print(f"{name}: {value:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
