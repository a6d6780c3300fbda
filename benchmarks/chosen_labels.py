"""What do labels that a strategy chose say about the amplitude? Against what the measuring images would have.

    python -m benchmarks.chosen_labels --data DIR --out results/chosen_labels [--sets openclipart clothing]
        [--seeds 4] [--labels 100 200] [--strategies auto random]

The labels of the loop, in its batches. On them a grid of amplitudes κ, at the scale that the adapter fits, nothing
sharpened: the κ that leave-one-out likes best, without a hyperprior; the same with each label counted by the share of
the pool that lies nearest to it (importance weights by nearest neighbours; Loog 2012, doi 10.1109/MLSP.2012.6349714);
that of labels predicted from earlier ones; and that of the measuring images. Then the adapter's own κ, which is on no
grid. Cells are κ / debiased ECE / accuracy, the latter in percent. Markdown, and OUT.json with every seed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor

from benchmarks.calibration import labels_of
from benchmarks.options import options, told
from benchmarks.sets import load_sets
from probal.acquisition import uncertainty
from probal.adapters._later import LaterLabels
from probal.adapters._leave_one_out import leave_one_out, question_weights
from probal.adapters._softmax_gp import find_mode
from probal.adapters.bayes_adapter import _CENTRE_LABELS, BayesAdapter
from probal.evaluation.metrics import debiased_ece, nll
from probal.gaussian import GaussianEmbedding
from probal.simulate import Source, split
from probal.simulate.compare import estimate
from probal.simulate.task import Task
from probal.threads import single_thread

AMPLITUDES = tuple(2.0**k for k in range(0, 11))
JUDGES = ("leave-one-out", "by share of the pool", "earlier labels", "measuring images", "the adapter")


@dataclass(frozen=True)
class Judged:
    """One judge's choice."""

    amplitude: float
    ece: float
    accuracy: float


def judge(task: Task, rows: Tensor) -> dict[str, Judged]:
    """Every judge's amplitude on these labels, rows [n], and how the model fares with it."""
    pool, x = torch.from_numpy(task.pool_x), torch.from_numpy(task.pool_x)[rows]
    y, prior = torch.from_numpy(task.pool_y)[rows], GaussianEmbedding(torch.from_numpy(task.prototypes))
    own = BayesAdapter(task.scale).fit(x, y, prior)
    scale = own.scale
    exact, ones = x.double(), torch.ones(len(task.prototypes), dtype=torch.float64)
    offset = scale * exact @ prior.mean.double().T
    moved = exact - exact.sum(0) / (len(exact) + _CENTRE_LABELS)
    asked = question_weights(offset, y).double()
    share = torch.bincount((pool @ x.T).argmax(1), minlength=len(rows)).double()

    def at(amplitude: float) -> np.ndarray:
        """Probabilities of the measuring images."""
        fixed = BayesAdapter(scale, fit_scale=False, amplitude=amplitude, sharpness=1.0).fit(x, y, prior)
        return uncertainty(fixed.logits(torch.from_numpy(task.eval_x))).predictive.numpy()

    def judged(amplitude: float, probs: np.ndarray) -> Judged:
        right = float((probs.argmax(1) == task.eval_y).mean())
        return Judged(amplitude, debiased_ece(probs, task.eval_y), right)

    earlier = LaterLabels(offset, exact @ exact.T, y, ones, _CENTRE_LABELS)
    scores: dict[str, list[float]] = defaultdict(list)
    fares = []
    for amplitude in AMPLITUDES:
        gram = amplitude * moved @ moved.T
        left_out = leave_one_out(gram, y, find_mode(offset, gram, y), ones)
        scores["leave-one-out"].append(float(asked @ left_out))
        scores["by share of the pool"].append(float((asked * share) @ left_out))
        later = earlier.at(amplitude)
        if later is not None:
            scores["earlier labels"].append(float(later.log_likelihood().sum()))
        probs = at(amplitude)
        scores["measuring images"].append(-nll(probs, task.eval_y))
        fares.append(judged(amplitude, probs))
    found = {name: fares[int(np.argmax(scores[name]))] for name in JUDGES if scores[name]}
    return found | {"the adapter": judged(own.amplitude, at(own.amplitude))}


def one(
    source: Source, strategy: str, batch: int, sizes: list[int], seed: int
) -> dict[int, dict[str, Judged]]:
    """Number of labels -> judges."""
    with single_thread():
        task = split(source, seed)
        rows = torch.from_numpy(labels_of(task, strategy, batch, max(sizes), seed)[-1])
        return {size: judge(task, rows[:size]) for size in sizes}


def main() -> None:
    parser = options(__doc__, 4, ["openclipart", "clothing"])
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 200])
    parser.add_argument("--strategies", nargs="+", default=["auto", "random"])
    arguments = parser.parse_args()
    plan = [
        (each, source, strategy, seed)
        for each, source in load_sets(arguments.sets, arguments.data)
        for strategy in arguments.strategies
        for seed in range(arguments.seeds)
    ]
    done = Parallel(n_jobs=arguments.jobs or 1)(
        delayed(one)(source, strategy, each.batch_size, arguments.labels, seed)
        for each, source, strategy, seed in plan
    )
    table: dict[tuple[str, int, str], dict[str, list[Judged]]] = defaultdict(lambda: defaultdict(list))
    for (each, _, strategy, _), by_size in zip(plan, done, strict=True):
        for size, judges in by_size.items():
            for name, judged in judges.items():
                table[each.name, size, strategy][name].append(judged)
    kept = [
        {
            "set": name,
            "labels": size,
            "strategy": strategy,
            "judges": {by: [vars(judged) for judged in found] for by, found in judges.items()},
        }
        for (name, size, strategy), judges in table.items()
    ]
    arguments.out.with_suffix(".json").write_text(json.dumps(kept, indent=1), "utf-8")
    print(markdown(kept))


def markdown(rows: list[dict[str, Any]]) -> str:
    """Rows of OUT.json as a table: κ (geometric mean), debiased ECE and accuracy in percent, ± 95 % over seeds."""
    lines = [f"| set | labels | {' | '.join(JUDGES)} |", f"|---|---|{'---|' * len(JUDGES)}"]
    for row in rows:
        cells = [_cell(row["judges"].get(name, [])) for name in JUDGES]
        lines.append(f"| {row['set']} | {row['labels']} {row['strategy']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(found: list[dict[str, float]]) -> str:
    if not found:
        return "–"
    middle = 2 ** float(np.mean([np.log2(each["amplitude"]) for each in found]))
    parts = [f"{middle:.0f}"]
    for name in ("ece", "accuracy"):
        mean = estimate([100 * each[name] for each in found])
        parts.append(f"{mean.mean:.1f}" + ("" if mean.high is None else f" ± {mean.high - mean.mean:.1f}"))
    return " / ".join(parts)


if __name__ == "__main__":
    told(main)
