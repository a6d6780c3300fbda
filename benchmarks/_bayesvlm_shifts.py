"""What a label-free posterior of the embedded encoder follows, image by image and from set to shifted set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from _bayesvlm_clothing import RESAMPLES, SCALE, Model, Record, Set, label_free
from scipy.stats import spearmanr

from probal.acquisition import bald
from probal.evaluation import auroc, ece, nll
from probal.posterior import Damping, InfoNCE, Projection, measure_label_free


def chosen_model(sets: Mapping[str, Set], count: float) -> Model:
    """The exact posterior in the class span at a pseudo-count, λ by the evidence, temperature by labels."""
    posterior = label_free(sets["pool"], count, Damping.EXACT)
    return Model(f"exact, class span, {count:g}", posterior).with_temperature(sets["fit"])


def directions(sets: Mapping[str, Set]) -> Record:
    """How many output directions ten classes determine: the share of B's trace in its largest C − 1 eigenvalues."""
    pool = sets["pool"]
    projection = Projection.identity(pool.activations.shape[1])
    curvature = measure_label_free(projection, pool.activations, pool.classes.mean, InfoNCE(SCALE), 1.0)
    beta = torch.linalg.eigvalsh(curvature.b).flip(0)
    determined = len(pool.classes.mean) - 1
    return {
        "directions": determined,
        "width": len(beta),
        "share of B": float(beta[:determined].sum() / beta.sum()),
    }


def leverage_facts(sets: Mapping[str, Set], count: float) -> Record:
    """What the scores of an image follow on the clean test split: the error, or the distance to the mean."""
    plain = Model("plain", None).with_temperature(sets["fit"])
    scores, _, probs = scores_of(chosen_model(sets, count), plain, sets["clean"])
    wrong = probs.argmax(1) != sets["clean"].labels.numpy()
    return {
        name: {
            "rank_correlation_with_distance_to_mean": float(
                spearmanr(score, scores["distance to mean"]).statistic
            ),
            "rank_correlation_with_error": float(spearmanr(score, wrong).statistic),
            "error_auroc": auroc(score, wrong),
        }
        for name, score in scores.items()
    }


def scores_of(model: Model, plain: Model, rows: Set) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """What could tell an error, image by image; and the probabilities of both models."""
    assert model.posterior is not None
    logits = model.logits(rows)
    images = model.posterior.embed(rows.activations)
    assert images.leverage is not None
    assert logits.gain is not None
    probs, plain_probs = logits.predictive().numpy(), plain.probs(rows)
    scores = {
        "distance to mean": rows.activations.norm(dim=1).numpy(),
        "leverage": images.leverage.numpy(),
        "gain": logits.gain.numpy(),
        "bald": bald(logits).numpy(),
        "1 − confidence": 1 - probs.max(1),
        "plain: 1 − confidence": 1 - plain_probs.max(1),
    }
    return scores, probs, plain_probs


def digit_sets(sets: Mapping[str, Set]) -> dict[str, Set]:
    """Digits as a project of their own: half of them is pool and fit, both versions of the rest are measured."""
    half = len(sets["digits"].labels) // 2
    centre = sets["digits"].activations[:half].mean(0)

    def part(name: str, rows: slice) -> Set:
        whole = sets[name]
        return Set(whole.activations[rows] - centre, whole.labels[rows], whole.classes)

    pool = part("digits", slice(half))
    rest = {name: part(name, slice(half, None)) for name in ("digits", "inverted")}
    return {"pool": pool, "fit": pool, **rest}


def intervals(scores: Mapping[str, np.ndarray], wrong: np.ndarray) -> Record:
    """95 % bootstrap intervals over the images of one set: of the error, the mean scores, their AUROC, and how much
    larger that is than the plain confidence's."""
    g, draws = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        rows = g.integers(len(wrong), size=len(wrong))
        drawn = {"error": float(wrong[rows].mean())}
        drawn |= {key: float(score[rows].mean()) for key, score in scores.items()}
        areas = {key: auroc(score[rows], wrong[rows]) for key, score in scores.items()}
        drawn |= {f"AUROC {key}": area for key, area in areas.items()}
        reference = areas["plain: 1 − confidence"]
        drawn |= {f"AUROC {key} − plain's": area - reference for key, area in areas.items()}
        draws.append(drawn)
    return {
        key: [float(each) for each in np.nanquantile([drawn[key] for drawn in draws], (0.025, 0.975))]
        for key in draws[0]
    }


def shifts(sets: Mapping[str, Set], count: float) -> list[Record]:
    """Error, mean scores and how well each tells an error, set by set; then the latter over all clothing together.

    The pooled AUROC is one of images of different sets too: a score that rises from set to set has part in it.
    """
    records: list[Record] = []
    together: list[tuple[dict[str, np.ndarray], np.ndarray]] = []
    for world, names in (
        (sets, ("clean", "gray", "noise", "blur")),
        (digit_sets(sets), ("digits", "inverted")),
    ):
        model, plain = chosen_model(world, count), Model("plain", None).with_temperature(world["fit"])
        for name in names:
            labels = world[name].labels.numpy()
            scores, probs, plain_probs = scores_of(model, plain, world[name])
            wrong = plain_probs.argmax(1) != labels
            record: Record = {"set": name, "n": len(labels), "error": float(wrong.mean())}
            record |= {key: float(score.mean()) for key, score in scores.items()}
            record |= {"nll": nll(probs, labels), "plain: nll": nll(plain_probs, labels)}
            record |= {"ece": ece(probs, labels), "plain: ece": ece(plain_probs, labels)}
            record |= {f"AUROC {key}": auroc(score, wrong) for key, score in scores.items()}
            record["intervals"] = intervals(scores, wrong)
            records.append(record)
            if world is sets:
                together.append((scores, wrong))
    wrong = np.concatenate([each for _, each in together])
    pooled = {key: np.concatenate([scores[key] for scores, _ in together]) for key in together[0][0]}
    record = {"set": "all clothing", "n": len(wrong), "error": float(wrong.mean())}
    record |= {f"AUROC {key}": auroc(score, wrong) for key, score in pooled.items()}
    g, per_set = np.random.default_rng(0), len(together[0][1])
    draws: dict[str, list[float]] = {key: [] for key in pooled}
    for _ in range(RESAMPLES):  # an image is in every set: whole images are drawn
        images = g.integers(per_set, size=per_set)
        rows = (images + per_set * np.arange(len(together))[:, None]).ravel()
        reference = auroc(pooled["plain: 1 − confidence"][rows], wrong[rows])
        for key in draws:
            draws[key].append(auroc(pooled[key][rows], wrong[rows]) - reference)
    record["AUROC − plain's"] = {
        key: [float(each) for each in np.quantile(values, (0.025, 0.975))] for key, values in draws.items()
    }
    return [*records, record]
