"""Few-shot accuracy and calibration of every adapter at equal labels.

    python benchmarks/few_shot.py --data DIR --out few_shot.jsonl [--sets …] [--shots 1 2 4 8 16] [--seeds 10]
                                  [--methods …] [--test 1000] [--table docs/few_shot.md]

For each set, seed and number of shots, that many labels per class are drawn at random from the pool (fewer where a
class has fewer); every method fits the same labels and is measured on the same held-out images, at most `--test` of
them, drawn by the seed. Sets with class texts have them as prior, the others a prior of zero. Nothing is tuned on
held-out labels. One line of JSON per result is appended to `--out`; what stands there already is not run again, so an
interrupted run goes on where it stopped, and two processes may share the work by `--sets` or `--methods`. `--table`
writes the tables of what `--out` holds; with `--seeds 0` nothing is run first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _few_shot_data import SETS, Draw, draw, most_shots
from _few_shot_methods import METHODS
from _few_shot_table import write_tables
from torch import Tensor

from probal.evaluation import accuracy, aurc, debiased_ece, nll

Key = tuple[str, int, int, str]


def measure(method: Callable[[Draw, int], Callable[[], Tensor]], labels: Draw, seed: int) -> dict[str, float]:
    """Fit and predict once."""
    started = time.perf_counter()
    predict = method(labels, seed)
    fitted = time.perf_counter()
    probs = predict().double().numpy()
    predicted = time.perf_counter()
    probs /= probs.sum(1, keepdims=True)  # float32 sums of 1000 classes
    return {
        "accuracy": accuracy(probs, labels.test_y),
        "nll": nll(probs, labels.test_y),
        "ece": debiased_ece(probs, labels.test_y, generator=np.random.default_rng(seed)),
        "aurc": aurc(probs.max(1), probs.argmax(1) == labels.test_y),
        "fit_seconds": fitted - started,
        "predict_seconds": predicted - fitted,
    }


def read(out: Path) -> list[dict[str, Any]]:
    """Results so far; a last line that was cut off is left out."""
    if not out.exists():
        return []
    found = []
    for line in out.read_text("utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def key_of(result: dict[str, Any]) -> Key:
    return result["set"], result["shots"], result["seed"], result["method"]


def append(out: Path, result: dict[str, Any]) -> None:
    """One whole line at once, on a line of its own even after a line that was cut off."""
    cut = out.exists() and out.stat().st_size and not out.read_bytes().endswith(b"\n")
    with out.open("a", encoding="utf-8") as file:
        file.write(("\n" if cut else "") + json.dumps(result) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    torch.set_num_threads(1)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    done = {key_of(each) for each in read(arguments.out)}
    data = Path(arguments.data)
    for seed in range(arguments.seeds):
        for name in arguments.sets:
            for shots in arguments.shots:
                wanted = [method for method in arguments.methods if (name, shots, seed, method) not in done]
                if not wanted or shots > most_shots(data, name):
                    continue
                labels = draw(data, name, shots, seed, arguments.test)
                for method in wanted:
                    found = measure(METHODS[method], labels, seed)
                    result = {"set": name, "shots": shots, "seed": seed, "method": method, "n": len(labels.y)}
                    append(arguments.out, result | {"test": len(labels.test_y), "machine": machine} | found)
                    print(name, shots, seed, method, {k: round(v, 4) for k, v in found.items()}, flush=True)
    if arguments.table:
        arguments.table.write_text(write_tables(read(arguments.out)), "utf-8")


if __name__ == "__main__":
    main()
