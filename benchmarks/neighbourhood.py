"""Does the pool help? Predictions averaged with those of nearest neighbours, and what a finish certifies by them.

    python -m benchmarks.neighbourhood --data DIR --out results/neighbourhood [--seeds 10] [--sets pets dtd]

As in a project: an audit is drawn from the pool, the rest is labeled, by `auto` and by random sampling, up to a
quarter and the whole of the set's budget. First table: accuracy and NLL on the measuring images, each averaged with
its nearest images of the pool as `probal.evaluation.neighbourhood` does, for several K and shares. Second: with the
K and share that a finish has, the share in percent of the open images that `certify` lets the model label at a
precision, and in how many runs that precision was kept. Gains are paired by seed; ± 95 % over seeds.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
from joblib import Parallel, cpu_count, delayed
from sklearn.neighbors import NearestNeighbors

from benchmarks.options import options, told
from benchmarks.sets import BenchSet, load_sets
from probal.evaluation import certify
from probal.evaluation.metrics import accuracy, nll
from probal.evaluation.neighbourhood import NEIGHBOURS, SHARE, nearest, with_neighbours
from probal.random import derive_seed
from probal.simulate import OwnLearner, Round, Source, Task, split
from probal.simulate.compare import estimate
from probal.threads import single_thread

TRIED = ((NEIGHBOURS, SHARE), (5, 0.5), (10, 0.5), (20, 0.5))
"""K and share, those in use first."""
STRATEGIES = ("auto", "random")
AUDIT, AUDIT_SHARE = 200, 0.2
"""Images at most, and of the pool."""
PRECISIONS = (0.9, 0.95)


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
    print(predictions(records))
    print(f"\n{finishes(records)}")


@single_thread()
def measure(each: BenchSet, source: Source, strategy: str, seed: int) -> list[dict[str, Any]]:
    """One record at each number of labels."""
    task = split(source, seed)
    n = len(task.pool_x)
    order = np.random.default_rng(derive_seed("neighbourhood", seed)).permutation(n)
    audit, open_rows = np.split(order, [min(AUDIT, round(AUDIT_SHARE * n))])
    open_rows = np.sort(open_rows)
    pool = replace(task, pool_x=task.pool_x[open_rows], pool_y=task.pool_y[open_rows])
    near, near_measured = nearest(task.pool_x), _in_pool(task)
    learner, asked, records = OwnLearner(strategy, "bayes")(), np.empty(0, np.int64), []
    wanted = [each.budget // 4, each.budget]
    while True:
        labels, flagged = pool.pool_y[asked], asked[:0]
        learner.fit(now := Round(pool.pool_x, asked, labels, flagged, task.prototypes, task.scale, seed))
        if len(asked) in wanted:
            own, all_pool = learner.predict_proba(task.eval_x), learner.predict_proba(task.pool_x)
            stacked = np.concatenate([own, all_pool]).astype(np.float64)
            there = np.concatenate(
                [len(own) + near_measured, len(own) + np.zeros((n, near_measured.shape[1]), int)]
            )
            judged = {"alone": _judged(own, task.eval_y)}
            for k, share in TRIED:
                mixed = with_neighbours(stacked, there[:, :k], share)[: len(own)]
                judged[f"{k}, {share}"] = _judged(mixed, task.eval_y)
            finish = {
                kind: _finish(probs, task.pool_y, open_rows[asked], audit)
                for kind, probs in (("alone", all_pool), ("neighbours", with_neighbours(all_pool, near)))
            }
            what = {"set": each.name, "strategy": strategy, "seed": seed, "labels": len(asked)}
            records.append(what | {"measured": judged, "finish": finish})
        if len(asked) >= each.budget:
            return records
        room = min(each.batch_size, min(m for m in wanted if m > len(asked)) - len(asked))
        asked = np.concatenate([asked, learner.query(now, room)])


def _in_pool(task: Task) -> np.ndarray:
    """Rows of the pool nearest to each measuring image by cosine, the pool's mean taken out, [M,K]."""
    moved, theirs = (each - task.pool_x.mean(0) for each in (task.eval_x, task.pool_x))
    search = NearestNeighbors(n_neighbors=max(k for k, _ in TRIED), metric="cosine").fit(theirs)
    return search.kneighbors(moved, return_distance=False)


def _judged(probs: np.ndarray, y: np.ndarray) -> dict[str, float]:
    return {"accuracy": accuracy(probs, y), "nll": nll(probs.astype(np.float64), y)}


def _finish(probs: np.ndarray, y: np.ndarray, labeled: np.ndarray, audit: np.ndarray) -> dict[str, float]:
    """Shares of what is left that may be labeled, and of these the wrong ones, at each precision."""
    rest = np.setdiff1d(np.arange(len(y)), np.concatenate([labeled, audit]))
    wrong, confidence = probs.argmax(1) != y, probs.max(1).astype(np.float64)
    found = {}
    for precision in PRECISIONS:
        made = certify(confidence[rest], confidence[audit], wrong[audit], precision, labeled=len(labeled))
        kept = rest[:0] if made.threshold is None else rest[confidence[rest] >= made.threshold]
        found[f"kept {precision}"] = len(kept) / len(rest)
        found[f"wrong {precision}"] = float(wrong[kept].mean()) if len(kept) else 0.0
    return found


Key = tuple[str, str, int]


def _groups(records: list[dict[str, Any]]) -> dict[Key, list[dict[str, Any]]]:
    found: dict[Key, list[dict[str, Any]]] = {}
    for record in records:
        found.setdefault((record["set"], record["strategy"], record["labels"]), []).append(record)
    return found


def predictions(records: list[dict[str, Any]]) -> str:
    lines = [
        "| set | labels | K, share | accuracy, % | gained | NLL | gained |",
        "|---|---|---|---|---|---|---|",
    ]
    for (name, strategy, labels), these in _groups(records).items():
        for kind in these[0]["measured"]:
            (hits, losses), (more, less) = (
                [np.array([r["measured"][which][key] for r in these]) for key in ("accuracy", "nll")]
                for which in (kind, "alone")
            )
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


def finishes(records: list[dict[str, Any]]) -> str:
    lines = [
        "| set | labels | "
        + " | ".join(f"{p:.0%}: alone | with neighbours | promise kept" for p in PRECISIONS)
        + " |"
    ]
    lines.append("|---|---|" + "---|---|---|" * len(PRECISIONS))
    for (name, strategy, labels), these in _groups(records).items():
        cells = [name, f"{labels} {strategy}"]
        for precision in PRECISIONS:
            for kind in ("alone", "neighbours"):
                cells.append(said(100 * np.array([r["finish"][kind][f"kept {precision}"] for r in these]), 0))
            held = [r["finish"]["neighbours"][f"wrong {precision}"] <= 1 - precision + 1e-9 for r in these]
            cells.append(f"{sum(held)} of {len(held)}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def said(values: np.ndarray, digits: int, sign: str = "") -> str:
    found = estimate(values)
    half = "" if found.high is None else f" ± {found.high - found.mean:.{digits}f}"
    return f"{found.mean:{sign}.{digits}f}{half}"


if __name__ == "__main__":
    told(main)
