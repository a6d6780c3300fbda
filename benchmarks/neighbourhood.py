"""Would the pool help the model? Predictions averaged with those of an image's nearest neighbours in the pool.

    python -m benchmarks.neighbourhood --data DIR --out results/neighbourhood [--seeds 10] [--sets pets dtd]

Labels as `auto` and as random sampling choose them, a quarter and the whole of the set's budget, the adapter as it
is. Then each image's log probabilities are averaged with those of its K nearest pool images, `share` of the weight
being theirs: one step of label propagation in the logits, and for a linear model the same as moving the image's
vector towards the mean of its neighbours (Wu et al. 2019, arXiv 1902.07153). Accuracy and NLL on the measuring
images; what is gained is paired by seed; ± 95 % over seeds.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from joblib import Parallel, cpu_count, delayed
from sklearn.neighbors import NearestNeighbors

from benchmarks.options import options, told
from benchmarks.sets import BenchSet, load_sets
from probal.evaluation.metrics import accuracy, nll
from probal.simulate import OwnLearner, Round, Source, split
from probal.simulate.compare import estimate
from probal.threads import single_thread

TRIED = ((5, 0.5), (10, 0.3), (10, 0.5), (20, 0.5))
"""K and share."""
STRATEGIES = ("auto", "random")


def main() -> None:
    arguments = options(__doc__, 10, ["clothing", "food10", "cifar10", "digits", "pets", "dtd"]).parse_args()
    runs = [
        (each, source, strategy, seed)
        for each, source in load_sets(arguments.sets, arguments.data)
        for strategy in STRATEGIES
        for seed in range(arguments.seeds)
    ]
    found = Parallel(min(arguments.jobs or cpu_count(), cpu_count()))(delayed(measure)(*run) for run in runs)
    records = [record for each in found for record in each]
    arguments.out.with_suffix(".json").write_text(json.dumps(records), "utf-8")
    print(markdown(records))


@single_thread()
def measure(each: BenchSet, source: Source, strategy: str, seed: int) -> list[dict[str, Any]]:
    """One record at each number of labels."""
    task = split(source, seed)
    near = nearest(task.eval_x, task.pool_x)
    learner, asked, records = OwnLearner(strategy, "bayes")(), np.empty(0, np.int64), []
    wanted = [each.budget // 4, each.budget]
    while True:
        labels, flagged = task.pool_y[asked], asked[:0]
        now = Round(task.pool_x, asked, labels, flagged, task.prototypes, task.scale, seed)
        learner.fit(now)
        if len(asked) in wanted:
            own, pool = (learner.predict_proba(x).astype(np.float64) for x in (task.eval_x, task.pool_x))
            found = {"alone": own} | {
                f"{k}, {share}": averaged(own, pool[near[:, :k]], share) for k, share in TRIED
            }
            judged = {
                name: {"accuracy": accuracy(p, task.eval_y), "nll": nll(p, task.eval_y)}
                for name, p in found.items()
            }
            records.append(
                {"set": each.name, "strategy": strategy, "seed": seed, "labels": len(asked), **judged}
            )
        if len(asked) >= each.budget:
            return records
        room = min(each.batch_size, min(n for n in wanted if n > len(asked)) - len(asked))
        asked = np.concatenate([asked, learner.query(now, room)])


def nearest(x: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Rows of the pool [N,D] nearest to each of x [M,D] by cosine, the pool's mean taken out, [M,K]."""
    moved, theirs = (each - pool.mean(0) for each in (x, pool))
    search = NearestNeighbors(n_neighbors=max(k for k, _ in TRIED), metric="cosine").fit(theirs)
    return search.kneighbors(moved, return_distance=False)


def averaged(own: np.ndarray, theirs: np.ndarray, share: float) -> np.ndarray:
    """∝ own^(1−share) times the geometric mean of the neighbours' to the share; own [M,C], theirs [M,K,C]."""
    least = np.finfo(np.float64).tiny
    log_p = (1 - share) * np.log(np.maximum(own, least)) + share * np.log(np.maximum(theirs, least)).mean(1)
    found = np.exp(log_p - log_p.max(1, keepdims=True))
    return found / found.sum(1, keepdims=True)


def markdown(records: list[dict[str, Any]]) -> str:
    lines = [
        "| set | labels | K, share | accuracy, % | gained | NLL | gained |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, strategy, labels in dict.fromkeys((r["set"], r["strategy"], r["labels"]) for r in records):
        these = [r for r in records if (r["set"], r["strategy"], r["labels"]) == (name, strategy, labels)]
        for kind in ("alone", *(f"{k}, {share}" for k, share in TRIED)):
            hits, losses = (np.array([r[kind][key] for r in these]) for key in ("accuracy", "nll"))
            more, less = (np.array([r["alone"][key] for r in these]) for key in ("accuracy", "nll"))
            gains = (
                ["–", "–"]
                if kind == "alone"
                else [said(100 * (hits - more), 1, "+"), said(less - losses, 3, "+")]
            )
            cells = [
                name,
                f"{labels} {strategy}",
                kind,
                said(100 * hits, 1),
                gains[0],
                said(losses, 3),
                gains[1],
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def said(values: np.ndarray, digits: int, sign: str = "") -> str:
    found = estimate(values)
    half = "" if found.high is None else f" ± {found.high - found.mean:.{digits}f}"
    return f"{found.mean:{sign}.{digits}f}{half}"


if __name__ == "__main__":
    told(main)
