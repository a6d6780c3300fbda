"""Evidence or leave-one-out: which one finds BayesAdapter's amplitude, and how honest is its covariance?

    python benchmarks/hyperparameters.py --data DIR [--seeds 5] [--json OUT]

For random labels of each set and size, over a grid of amplitudes at the encoder's own scale: the amplitude that
the Laplace evidence, the leave-one-out likelihood and the held-out NLL would choose (geometric means over seeds),
and the held-out NLL of the mode at each choice. All judge the adapter's own model: the labels' part acts on images
less the centre of the labeled ones; nothing is sharpened. Beside them what the adapter chooses (leave-one-out with
its hyperprior, half of the way to later labels), the NLL of its predictive, and that less the evidence's, seed by
seed.

At the leave-one-out choice: the NLL of the predictive with the whole Laplace covariance (temperature 1), and the
temperature that the adapter would choose (log₁₀; mean, smallest and largest of the seeds). At κ = 16: leave-one-out
less refitting without each of the first 50 images, the kernel as it is, in nats an image.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from _few_shot_table import cell
from rich.console import Console
from rich.table import Table
from torch import Tensor

from probal.adapters import BayesAdapter
from probal.adapters._dual import factor, log_evidence
from probal.adapters._leave_one_out import leave_one_out
from probal.adapters._softmax_gp import find_mode
from probal.adapters.bayes_adapter import _CENTRE_LABELS as CENTRE_LABELS
from probal.gaussian import GaussianEmbedding
from probal.simulate import Task, load_source, split

GRID = [4.0**k for k in range(-1, 8)]
SETS = {
    "food10_vitb32": ("train", "test"),
    "cifar10_test500_vitb32": (None, None),
    "oxford_pets_vitb32": ("val", "test"),
    "dtd_vitb32": ("val", "test"),
}


JUDGES = ("evidence", "leave-one-out", "adapter", "held-out")
COSTS = (
    *(f"{judge} nll" for judge in JUDGES),
    "adapter less evidence",
    "temperature 1 nll",
    "leave-one-out less refitting",
)


def nll(logits: Tensor, y: Tensor) -> float:
    return float(-torch.log_softmax(logits, 1).gather(1, y[:, None]).mean())


def one(task: Task, n: int, seed: int) -> dict[str, float]:
    """Choices of one draw of n labels, and what they cost on held-out images."""
    rows = np.random.default_rng(seed).permutation(len(task.pool_y))[:n]
    x, y = torch.from_numpy(task.pool_x)[rows].double(), torch.from_numpy(task.pool_y)[rows]
    eval_x, eval_y = torch.from_numpy(task.eval_x).double(), torch.from_numpy(task.eval_y)
    prototypes = torch.from_numpy(task.prototypes).double()
    centre = x.sum(0) / (n + CENTRE_LABELS)
    moved = x - centre
    alike, zero_shot, gains = (
        moved @ moved.T,
        x @ prototypes.T,
        torch.ones(len(prototypes), dtype=torch.float64),
    )
    scores: dict[str, list[float]] = {"evidence": [], "leave-one-out": [], "held-out": []}
    for amplitude in GRID:
        gram, offset = amplitude * alike, task.scale * zero_shot
        mode = find_mode(offset, gram, y)
        scores["evidence"].append(log_evidence(mode, factor(gram, mode.probs, gains)))
        scores["leave-one-out"].append(float(leave_one_out(gram, y, mode, gains).sum()))
        learned = amplitude * mode.representer.T @ moved  # [C,D]
        held_out = task.scale * eval_x @ prototypes.T + (eval_x - centre) @ learned.T
        scores["held-out"].append(-nll(held_out, eval_y))
    best = {name: int(np.argmax(values)) for name, values in scores.items()}
    found = {f"{name} choice": float(np.log(GRID[i])) for name, i in best.items()}
    found |= {f"{name} nll": -scores["held-out"][i] for name, i in best.items()}
    adapter = BayesAdapter(task.scale, fit_scale=False, amplitude=GRID[best["leave-one-out"]], sharpness=1.0)
    prior = GaussianEmbedding(prototypes)
    whole = replace(adapter, temperature=1.0).fit(x, y, prior).logits(eval_x).predictive()
    found["temperature 1 nll"] = float(-whole.gather(1, eval_y[:, None]).log().mean())
    found["temperature"] = float(np.log10(adapter.fit(x, y, prior).temperature))
    own = replace(adapter, amplitude=None).fit(x, y, prior)
    found["adapter choice"] = float(np.log(own.amplitude))
    own_probs = own.logits(eval_x).predictive()
    found["adapter nll"] = float(-own_probs.gather(1, eval_y[:, None]).log().mean())
    found["adapter less evidence"] = found["adapter nll"] - found["evidence nll"]
    offset, gram = task.scale * zero_shot, 16.0 * alike
    mode = find_mode(offset, gram, y)
    refitted = []
    for i in range(min(n, 50)):
        keep = torch.arange(n) != i
        others = find_mode(offset[keep], gram[keep][:, keep], y[keep]).representer
        refitted.append(torch.log_softmax(offset[i] + gram[i, keep] @ others, 0)[y[i]])
    quick = leave_one_out(gram, y, mode, gains)[: len(refitted)]
    found["leave-one-out less refitting"] = float((quick - torch.stack(refitted)).mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"), required=False)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 100, 200])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    torch.set_num_threads(1)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    columns = ["set", "labels", *(f"κ by {judge}" for judge in JUDGES), *COSTS, "log₁₀ temperature"]
    table = Table(*columns, title=f"amplitude by four judges, {arguments.seeds} seeds ({machine})")
    results = []
    for name, keys in SETS.items():
        source = load_source(
            Path(arguments.data) / "clip_features" / f"{name}.npz",
            "embedded",
            *keys,
            lambda done, total, what: None,
        )
        for n in arguments.sizes:
            runs = [one(split(source, seed), n, seed) for seed in range(arguments.seeds)]
            found = {key: [run[key] for run in runs] for key in runs[0]}
            results.append({"set": name, "labels": n, "runs": found})
            choices = [f"{np.exp(np.mean(found[f'{judge} choice'])):.3g}" for judge in JUDGES]
            costs = [cell(found[key], 1, 3) for key in COSTS]
            chosen = found["temperature"]
            spread = f"{np.mean(chosen):.1f} [{min(chosen):.1f}, {max(chosen):.1f}]"
            table.add_row(name, str(n), *choices, *costs, spread)
    Console(width=260).print(table)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"machine": machine, "seeds": arguments.seeds, "results": results})
        )


if __name__ == "__main__":
    main()
