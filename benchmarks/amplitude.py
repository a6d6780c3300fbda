"""Why few-shot goals are missed: held-out NLL and debiased ECE at fixed amplitudes, beside the one that is chosen.

    python benchmarks/amplitude.py --data DIR [--shots 1 4] [--seeds 5] [--sets …] [--test 500]
                                   [--amplitudes 16 64 …] [--temperature T]

The draws are those of `few_shot.py`. Every column keeps its amplitude and chooses scale and temperature as always
(with --temperature all columns but the last keep that of the covariance too);
`chosen` is what `bayes` does, with the geometric mean of its amplitude. Mean ± 95 % over seeds; Markdown.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from _few_shot_data import SETS, draw
from _few_shot_methods import NODES
from _few_shot_table import cell

from probal.adapters import BayesAdapter
from probal.evaluation import debiased_ece, nll
from probal.gaussian import GaussianEmbedding

AMPLITUDES = (16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--test", type=int, default=500)
    parser.add_argument("--amplitudes", type=float, nargs="+", default=list(AMPLITUDES))
    parser.add_argument("--temperature", type=float)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    torch.set_num_threads(1)
    heads = [f"{each:g}" for each in arguments.amplitudes]
    print("| set | shots | measure | " + " | ".join(heads) + " | chosen | its amplitude |")
    print("|---|---|---|" + "---:|" * (len(heads) + 2))
    for name in arguments.sets:
        for shots in arguments.shots:
            found: dict[float | None, list[tuple[float, float]]] = {}
            chosen = []
            for seed in range(arguments.seeds):
                labels = draw(Path(arguments.data), name, shots, seed, arguments.test)
                for amplitude in (*arguments.amplitudes, None):
                    temperature = None if amplitude is None else arguments.temperature
                    adapter = BayesAdapter(labels.scale, amplitude=amplitude, temperature=temperature)
                    posterior = adapter.fit(labels.x, labels.y, GaussianEmbedding(labels.prototypes))
                    probs = posterior.logits(labels.test_x).predictive("qmc", NODES).double().numpy()
                    probs /= probs.sum(1, keepdims=True)
                    error = debiased_ece(probs, labels.test_y, generator=np.random.default_rng(seed))
                    found.setdefault(amplitude, []).append((nll(probs, labels.test_y), error))
                    if amplitude is None:
                        chosen.append(posterior.amplitude)
            typical = f"{np.exp(np.mean(np.log(chosen))):.0f}"
            for k, (measure, factor, digits) in enumerate((("NLL", 1, 3), ("debiased ECE, %", 100, 1))):
                cells = [cell([pair[k] for pair in pairs], factor, digits) for pairs in found.values()]
                print(
                    f"| {name} | {shots} | {measure} | " + " | ".join(cells) + f" | {typical} |", flush=True
                )


if __name__ == "__main__":
    main()
