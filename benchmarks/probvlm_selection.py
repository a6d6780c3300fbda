"""Does ProbVLM rank encoders for an unlabeled pool as their accuracy does?

    python benchmarks/probvlm_selection.py --data DIR [--seeds 3] [--json OUT]

Two settings. "few": half of the images with their labels train one ProbVLM per encoder, the other half is the pool,
as in `probal probvlm select-model`; CIFAR-10 (500 images) and clothing (10 classes, --per-class photos of each).
"transfer", as in the paper: trained on ImageNet-4, the pool is Food10 or CIFAR-10, without a label.

Encoders: CLIP ViT-B/32 vectors where the data has them; `embedded`; an open_clip model of random weights; and worse
ones made of these: cut to the leading k principal directions, with Gaussian noise of a norm relative to the vector's,
or fed pictures of few pixels. True quality: zero-shot accuracy on the pool, and that of a logistic regression fitted
on the training half. Spearman over the encoders, mean and range over seeds (of the split, the noise and the heads).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _probvlm_sets import Set, imagenet4, others
from PIL import Image
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import normalize

from probal.encoders import load_encoder
from probal.probvlm import Candidate, Pairs, Settings, rank_encoders, train
from probal.random import derive_seed, torch_generator

RANDOM = "ViT-S-32-alt"
FEW_PIXELS = 12


def cut(data: Set, k: int) -> Set:
    """Images and texts on the k leading directions of the images."""
    basis = torch.linalg.svd(data.x, full_matrices=False).Vh[:k]  # [k, D]
    return Set(normalize(data.x @ basis.mT), data.y, normalize(data.texts @ basis.mT))


def noised(data: Set, size: float, *seed: object) -> Set:
    """Images with Gaussian noise whose norm is `size` times theirs, on average."""
    noise = torch.randn(data.x.shape, generator=torch_generator("noise", size, *seed))
    return Set(normalize(data.x + size * noise / data.x.shape[1] ** 0.5), data.y, data.texts)


def embedded(images: Sequence[Image.Image], y: Tensor, names: Sequence[str]) -> Set:
    encoder = load_encoder("embedded")
    parts = [encoder.encode_images(images[i : i + 50]) for i in range(0, len(images), 50)]
    x = torch.from_numpy(np.concatenate(parts))
    texts = torch.from_numpy(encoder.encode_texts([encoder.default_template.replace("{}", n) for n in names]))
    return Set(normalize(x - x.mean(0)), y, normalize(texts))


def untrained(images: Sequence[Image.Image], y: Tensor, names: Sequence[str]) -> Set:
    """An open_clip model of random weights."""
    import open_clip

    with torch.random.fork_rng():
        torch.manual_seed(derive_seed("untrained") % 2**31)
        model, _, prepare = open_clip.create_model_and_transforms(RANDOM)
    model.eval()
    with torch.inference_mode():
        parts = [
            model.encode_image(torch.stack([prepare(image) for image in images[i : i + 50]]))
            for i in range(0, len(images), 50)
        ]
        texts = model.encode_text(open_clip.get_tokenizer(RANDOM)([f"a photo of a {name}" for name in names]))
    return Set(normalize(torch.cat(parts).clone()), y, normalize(texts.clone()))


def few_pixels(images: Sequence[Image.Image]) -> list[Image.Image]:
    return [image.resize((FEW_PIXELS, FEW_PIXELS)).resize(image.size) for image in images]


def accuracy(data: Set) -> float:
    return 1 - float(data.error().mean())


def probe(seen: Set, pool: Set) -> float:
    """Accuracy on the pool of a logistic regression on the other images' vectors, at norm √D."""
    scale = seen.x.shape[1] ** 0.5
    fitted = LogisticRegression(C=0.1, max_iter=500).fit(scale * seen.x.numpy(), seen.y.numpy())
    return float(fitted.score(scale * pool.x.numpy(), pool.y.numpy()))


def rank(
    pools: dict[str, Set], trained_on: dict[str, Set], settings: Settings, seed: int, probes: bool
) -> list[dict[str, Any]]:
    """One record an encoder, in the order of `rank_encoders`."""
    found: dict[str, Candidate] = {}
    variance: dict[str, float] = {}
    for name, seen in trained_on.items():
        pairs = Pairs(seen.x, seen.texts[seen.y])
        model = train(pairs, settings, torch_generator("selection", seed))
        found[name] = Candidate(model, pools[name].x, pools[name].texts)
        embedding = model.embed_images(pools[name].x, torch_generator("networks", seed))
        variance[name] = float(embedding.gaussian().variance().mean())
    return [
        {
            "encoder": each.encoder,
            "spread": each.spread,
            "noise / signal": each.noise_to_signal,
            "mean variance": variance[each.encoder],
            "zero-shot": accuracy(pools[each.encoder]),
            **({"probe": probe(trained_on[each.encoder], pools[each.encoder])} if probes else {}),
        }
        for each in rank_encoders(found, seed)
    ]


def agreement(records: list[dict[str, Any]]) -> dict[str, float]:
    """Spearman of certainty and accuracy over the encoders: 1 where the ranking is right."""
    truths = [key for key in ("zero-shot", "probe") if key in records[0]]
    return {
        f"{criterion} against {truth}": float(
            spearmanr([-each[criterion] for each in records], [each[truth] for each in records]).statistic
        )
        for criterion in ("spread", "noise / signal", "mean variance")
        for truth in truths
    }


def few(sources: dict[str, Set], seed: int) -> list[dict[str, Any]]:
    """Half of the images train, the other half is the pool."""
    n = len(next(iter(sources.values())).y)
    order = torch.randperm(n, generator=torch_generator("halves", seed))
    kept, pool = order[: n // 2], order[n // 2 :]
    settings = Settings(held_out_texts=False, batch_size=20)
    return rank(
        {name: data.rows(pool) for name, data in sources.items()},
        {name: data.rows(kept) for name, data in sources.items()},
        settings,
        seed,
        probes=True,
    )


def variants(clip: Set, seed: int) -> dict[str, Set]:
    """CLIP's vectors, whole and made worse."""
    return {
        "CLIP": clip,
        "CLIP, noise 1": noised(clip, 1.0, seed),
        "CLIP, noise 3": noised(clip, 3.0, seed),
    }


def together(clip: Set, pool: Set, k: int) -> tuple[Set, Set]:
    """Both sets on the k leading directions of the first one's images."""
    basis = torch.linalg.svd(clip.x, full_matrices=False).Vh[:k]

    def on(data: Set) -> Set:
        return Set(normalize(data.x @ basis.mT), data.y, normalize(data.texts @ basis.mT))

    return on(clip), on(pool)


def transfer(source: Set, pool: Set, seed: int) -> list[dict[str, Any]]:
    """Trained on ImageNet-4, the pool unlabeled."""
    seen, at = variants(source, seed), variants(pool, seed)
    for k in (128, 32):
        seen[f"CLIP, {k} directions"], at[f"CLIP, {k} directions"] = together(source, pool, k)
    return rank(at, seen, Settings(epochs=12), seed, probes=False)


def clothing(root: Path, per_class: int) -> tuple[list[Image.Image], Tensor, list[str]]:
    names = sorted(each.name for each in (root / "train").iterdir())
    images, y = [], []
    for i, name in enumerate(names):
        files = sorted((root / "test" / name).glob("*.jpg")) + sorted((root / "train" / name).glob("*.jpg"))
        for file in files[:per_class]:
            images.append(Image.open(file).convert("RGB").resize((256, 256)))
            y.append(i)
    return images, torch.tensor(y), names


def report(console: Console, title: str, runs: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Prints the means over seeds; returns everything."""
    names = [each["encoder"] for each in runs[0]]
    keys = [key for key in runs[0][0] if key != "encoder"]
    table = Table("encoder", *keys, title=title)
    for name in names:
        values = [[each[key] for run in runs for each in run if each["encoder"] == name] for key in keys]
        table.add_row(name, *(f"{np.mean(v):.3g}" for v in values))
    console.print(table)
    found = [agreement(run) for run in runs]
    for key in found[0]:
        values = [each[key] for each in found]
        console.print(f"  {key}: {np.mean(values):+.2f} ({min(values):+.2f} to {max(values):+.2f})")
    return {"runs": runs, "agreement": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--per-class", type=int, default=40)
    parser.add_argument("--only", choices=("CIFAR-10", "clothing", "transfer"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    root = Path(arguments.data)
    features = root / "clip_features"
    console = Console(width=160)
    results: dict[str, Any] = {"machine": platform.platform(), "torch": torch.__version__}
    seeds = range(arguments.seeds)
    if arguments.only in (None, "CIFAR-10"):
        with np.load(features / "cifar10_test500_vitb32.npz", allow_pickle=False) as file:
            images = [Image.fromarray(each) for each in file["images"]]
            names = file["classnames"].tolist()
        clip = others(features)["CIFAR-10"]
        own = {
            "embedded": embedded(images, clip.y, names),
            "embedded, 12 pixels": embedded(few_pixels(images), clip.y, names),
            f"untrained {RANDOM}": untrained(images, clip.y, names),
            "CLIP, 16 directions": cut(clip, 16),
        }
        runs = [few({**variants(clip, seed), **own}, seed) for seed in seeds]
        results["CIFAR-10"] = report(console, "CIFAR-10, half labeled, half the pool", runs)
    if arguments.only in (None, "clothing"):
        images, y, names = clothing(root / "images" / "clothing", arguments.per_class)
        whole = embedded(images, y, names)
        own = {
            "embedded": whole,
            "embedded, 12 pixels": embedded(few_pixels(images), y, names),
            f"untrained {RANDOM}": untrained(images, y, names),
            "embedded, 16 directions": cut(whole, 16),
        }
        runs = [few({**own, "embedded, noise 3": noised(whole, 3.0, seed)}, seed) for seed in seeds]
        results["clothing"] = report(console, "clothing, half labeled, half the pool", runs)
    if arguments.only in (None, "transfer"):
        for name, pool in others(features).items():
            runs = [transfer(imagenet4(features), pool, seed) for seed in seeds]
            results[f"transfer to {name}"] = report(console, f"trained on ImageNet-4, pool {name}", runs)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
