"""Candidates for ProbVLM's uncertainty, by what they look at, and the choice between them on training images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from _probvlm_sets import SCALE, Set, fold_of, rank_of_bins
from torch import Tensor

from probal.evaluation import auroc
from probal.probvlm import (
    GeneralizedGaussian,
    Pairs,
    ProbEmbedding,
    ProbVLM,
    Settings,
    acquisition_score,
    nearest_to_samples,
    retrieval_surprise,
    train,
)
from probal.random import torch_generator

SAMPLES, CHUNK = 32, 250

Score = Callable[[GeneralizedGaussian, ProbEmbedding, Tensor], Tensor]

IMAGE: dict[str, Score] = {
    "aleatoric": lambda density, found, x: found.ambiguity(),
    "log aleatoric": lambda density, found, x: found.aleatoric.log().mean(1),
    "entropy": lambda density, found, x: (
        density.alpha.log() - density.beta.log() + torch.lgamma(1 / density.beta) + 1 / density.beta
    ).mean(1),
    "epistemic": lambda density, found, x: found.ignorance(),
    "both": lambda density, found, x: found.ambiguity() + found.ignorance(),
    "acquisition score": lambda density, found, x: acquisition_score(found),
    "shift": lambda density, found, x: (density.mean - x).norm(dim=1),
    "aleatoric / |μ|²": lambda density, found, x: (
        found.ambiguity() / (density.mean - density.mean.mean(0)).square().sum(1)
    ),
}
"""From the image alone."""
PAIR = ("image + text aleatoric", "image's surprise", "text's surprise", "retrieval surprise")
"""From the image and the text that it retrieves."""


def scores(model: ProbVLM, data: Set, *seed: object) -> dict[str, Tensor]:
    """Every candidate's uncertainty of every image, [N] each; more is less certain."""
    density = model.image_density(data.x)
    embedding = model.embed_images(data.x, torch_generator("mc", *seed))
    found = {name: score(density, embedding, data.x) for name, score in IMAGE.items()}
    cosines = data.x @ data.texts.mT
    best, top = cosines.max(1)
    texts = model.text_density(data.texts)
    found["image + text aleatoric"] = embedding.ambiguity() + texts.variance().mean(1)[top]
    found["image's surprise"] = density.nll(data.texts[top]).mean(1)
    found["text's surprise"] = texts.rows(top).nll(data.x).mean(1)
    found["retrieval surprise"] = retrieval_surprise(model, data.x, data.texts)
    found["retrieval changes"] = _changes(model, data, *seed)
    found["1 − cosine"] = 1 - best
    found["1 − confidence"] = 1 - (SCALE * cosines).softmax(1).max(1).values
    return {name: u.double() for name, u in found.items()}


def _changes(model: ProbVLM, data: Set, *seed: object) -> Tensor:
    """Share of an image's samples whose nearest text is not the frozen embedding's, [N]."""
    generator, parts = torch_generator("samples", *seed), []
    for x in data.x.split(CHUNK):  # [chunk, K, C] of cosines at a time
        nearest, _ = nearest_to_samples(model.image_density(x), data.texts, SAMPLES, generator)
        parts.append((nearest != (x @ data.texts.mT).argmax(1)[:, None]).double().mean(1))
    return torch.cat(parts)


def validation(source: Set, keep: Tensor, settings: Settings, *seed: object) -> dict[str, dict[str, float]]:
    """AUROC and Spearman of every candidate on images of `keep`, each measured by a model that did not see it.

    One of the folds by images that `keep` [N] holds is left out at a time; nothing outside of `keep` is touched.
    """
    fold = fold_of(source, "images")
    held: dict[str, Tensor] = {}
    for left in fold[keep].unique().tolist():
        out, seen = keep & (fold == left), keep & (fold != left)
        pairs = Pairs(source.x[seen], source.texts[source.y[seen]])
        model = train(pairs, settings, torch_generator("validation", left, *seed))
        for name, u in scores(model, source.rows(out), left, *seed).items():
            held.setdefault(name, torch.zeros(len(source.x), dtype=torch.float64))[out] = u
    wrong = source.error()[keep].numpy()
    return {
        name: {"auroc": auroc(u[keep].numpy(), wrong), "spearman": rank_of_bins(u[keep].numpy(), wrong)}
        for name, u in held.items()
    }


def choose(found: dict[str, dict[str, float]]) -> dict[str, str]:
    """The candidate of each kind with the best AUROC in :func:`validation`."""
    kinds = {"chosen, image alone": tuple(IMAGE), "chosen, retrieved pair": PAIR}
    return {kind: max(names, key=lambda name: found[name]["auroc"]) for kind, names in kinds.items()}


def trainings() -> dict[str, Settings]:
    """Ways to train that were tried on validation."""
    base = Settings()
    slow = replace(base, learning_rate=2e-4, epochs=120, patience=30)
    return {
        "default": base,
        "slower, to convergence": slow,
        "slower, λ = 30": replace(slow, cross_weight=30.0),
        "1,024 hidden units, dropout 0.5": replace(base, hidden=1024, dropout=0.5),
        "2 layers": replace(base, layers=2),
        "single images held out": replace(base, held_out_texts=False),
    }
