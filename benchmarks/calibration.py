"""Calibration while labels are chosen: what each way to set BayesAdapter's sharpness gives on the same labels.

    python -m benchmarks.calibration --data DIR --out results/calibration [--sets digits food10] [--seeds 20]

`auto` and random sampling choose the labels, with the adapter as it is; every second round each way is fitted on
them and measured on the measuring images and on what is left of the pool. `mode` is the maximum a posteriori at the
adapter's scale and amplitude with no covariance, `left out` multiplies its logits by the factor that is likeliest for
the labels left out one at a time, `best` by the one likeliest for the measuring labels, which nobody has. Of what the
adapter does beyond the mode `covariance` and `sharpness` are either alone, `adapter` is both. Cells are debiased ECE
in percent / NLL, means over rounds, ± 95 % over seeds; the last column is paired. Every seed: OUT.json.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed
from torch import Tensor

from benchmarks.options import options, told
from benchmarks.sets import load_sets
from probal.adapters import BayesAdapter
from probal.adapters._leave_one_out import cavity
from probal.adapters._softmax_gp import find_mode
from probal.evaluation import debiased_ece, nll
from probal.gaussian import GaussianEmbedding
from probal.simulate import Source, split
from probal.simulate.compare import estimate
from probal.simulate.learner import Round
from probal.simulate.own import AdapterLearner
from probal.simulate.task import Task
from probal.threads import single_thread

WAYS = ("mode", "left out", "covariance", "sharpness", "adapter", "best")
_FACTORS = torch.exp(torch.linspace(-1.2, 1.6, 57))


def main() -> None:
    parser = options(__doc__, 20, ["digits", "food10", "cifar10"])
    arguments = parser.parse_args()
    plan = [
        (each, source, strategy, seed)
        for each, source in load_sets(arguments.sets, arguments.data)
        for strategy in ("auto", "random")
        for seed in range(arguments.seeds)
    ]
    jobs = min(arguments.jobs or cpu_count(), cpu_count())
    done = Parallel(n_jobs=jobs)(
        delayed(one_seed)(source, strategy, each.batch_size, each.budget, seed)
        for each, source, strategy, seed in plan
    )
    found: dict[tuple[str, str, str], list[np.ndarray]] = defaultdict(list)
    for (each, _, strategy, _), places in zip(plan, done, strict=True):
        for images, means in places.items():
            found[each.name, strategy, images].append(means)
    print(
        f"| set | labels | measured on | {' | '.join(WAYS)} | adapter − mode |\n|{'---|' * (len(WAYS) + 4)}"
    )
    for key, seeds in found.items():
        error, loss = np.moveaxis(np.array(seeds), 2, 0)  # [seeds, ways] each
        cells = [_cell(error[:, k], loss[:, k]) for k in range(len(WAYS))]
        mode, own = WAYS.index("mode"), WAYS.index("adapter")
        cells.append(_cell(error[:, own] - error[:, mode], loss[:, own] - loss[:, mode]))
        print(f"| {' | '.join([*key, *cells])} |")
    kept = [
        dict(zip(("set", "labels", "measured on"), key, strict=True))
        | {way: np.array(seeds)[:, k].tolist() for k, way in enumerate(WAYS)}
        for key, seeds in found.items()
    ]
    arguments.out.with_suffix(".json").write_text(json.dumps(kept), "utf-8")


def _cell(error: np.ndarray, loss: np.ndarray) -> str:
    def told(values: np.ndarray, digits: int) -> str:
        found = estimate(values)
        half = "" if found.high is None else f" ± {found.high - found.mean:.{digits}f}"
        return f"{found.mean:.{digits}f}{half}"

    return f"{told(100 * error, 1)} / {told(loss, 3)}"


def one_seed(source: Source, strategy: str, batch: int, budget: int, seed: int) -> dict[str, np.ndarray]:
    """Debiased ECE and NLL of every way [ways, 2], means over every second round, by where they are measured."""
    with single_thread():
        task = split(source, seed)
        rounds = [measure(task, rows) for rows in labels_of(task, strategy, batch, budget, seed)[1::2]]
        return {images: np.mean([each[images] for each in rounds], axis=0) for images in rounds[0]}


def labels_of(task: Task, strategy: str, batch: int, budget: int, seed: int) -> list[np.ndarray]:
    """Rows labeled by each round, in order."""
    learner = AdapterLearner(strategy, "bayes")
    rounds = [np.empty(0, np.int64)]
    while len(rounds[-1]) < budget:
        rows = rounds[-1]
        flagged = np.empty(0, np.int64)
        now = Round(task.pool_x, rows, task.answers[rows], flagged, task.prototypes, task.scale, seed)
        learner.fit(now)
        rounds.append(np.concatenate([rows, learner.query(now, min(batch, budget - len(rows)))]))
    return rounds


def measure(task: Task, rows: np.ndarray) -> dict[str, list[tuple[float, float]]]:
    """Debiased ECE and NLL of each way, on the measuring images and on the rest of the pool."""
    x, y = torch.from_numpy(task.pool_x[rows]), torch.from_numpy(task.answers[rows])
    prior = GaussianEmbedding(torch.from_numpy(task.prototypes))
    own = BayesAdapter(task.scale).fit(x, y, prior)
    fixed = BayesAdapter(own.scale, fit_scale=False, amplitude=own.amplitude, sharpness=1.0)
    at_mode = replace(fixed, temperature=1e-9).fit(x, y, prior)
    spread = fixed.fit(x, y, prior)
    rest = np.setdiff1d(np.arange(len(task.pool_x)), rows)
    places = {"the rest": (task.pool_x[rest], task.pool_y[rest]), "test": (task.eval_x, task.eval_y)}
    test_logits = at_mode.logits(torch.from_numpy(task.eval_x)).mean
    best = likeliest(test_logits, torch.from_numpy(task.eval_y))
    left_out = likeliest(*without_own_label(x, y, prior, at_mode.scale, at_mode.amplitude))
    found = {}
    for name, (images, answers) in places.items():
        vectors = torch.from_numpy(images)
        logits = at_mode.logits(vectors).mean
        ways = {
            "mode": torch.softmax(logits, 1),
            "left out": torch.softmax(left_out * logits, 1),
            "covariance": spread.logits(vectors).predictive("qmc"),
            "sharpness": torch.softmax(own.sharpness * logits, 1),
            "adapter": own.logits(vectors).predictive("qmc"),
            "best": torch.softmax(best * logits, 1),
        }
        found[name] = [(debiased_ece(p, answers, n_draws=50), nll(p, answers)) for p in ways.values()]
    return found


def without_own_label(
    x: Tensor, y: Tensor, prior: GaussianEmbedding, scale: float, amplitude: float
) -> tuple[Tensor, Tensor]:
    """Logits [m,C] of the labels that others could predict, each without itself, and these labels [m]."""
    moved = x.double() - x.double().sum(0) / (len(x) + 4)
    gram, offset = amplitude * moved @ moved.T, scale * x.double() @ prior.mean.double().T
    gains = torch.ones(len(prior), dtype=torch.float64)
    mean, _ = cavity(gram, y, find_mode(offset, gram, y), gains)
    asked = torch.bincount(y)[y] > (0 if bool(offset.any()) else 1)
    return mean[asked], y[asked]


def likeliest(logits: Tensor, y: Tensor) -> float:
    """The factor under which y [m] is likeliest; 1 where there is nothing to ask."""
    if not len(y):
        return 1.0
    scores = [float(torch.log_softmax(s * logits, 1).gather(1, y[:, None]).sum()) for s in _FACTORS]
    return float(_FACTORS[int(np.argmax(scores))])


if __name__ == "__main__":
    told(main)
