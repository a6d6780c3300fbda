"""BayesVLM: what its variances are worth, measured on published factors and on the embedded encoder.

    python benchmarks/bayesvlm.py --data DIR [--cache VECTORS.npz] [--seeds 5] [--json OUT]

1. Published factors (needs `bayesvlm_posterior/`): exact against factored predictive variance on drawn
   activations; BALD of three forms of the noise over that of each image's dense covariance.
2. Clothing (needs `images/clothing/`): NLL, ECE and error-AUROC of the probabilistic zero-shot with label-free
   curvature against the plain one and against a constant leverage, each with and without one temperature.
3. Domain shift: does the uncertainty rise with the error? Gray, blurred and noised clothing; digits and inverted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _bayesvlm_clothing import sets_of, zero_shot
from _bayesvlm_images import collect
from _bayesvlm_published import measure_evidence, measure_published
from _bayesvlm_shifts import directions, leverage_facts, shifts
from rich.console import Console
from rich.table import Table

from probal.encoders import load_encoder

PUBLISHED = "bayesvlm_posterior/ViT-B-32-laion2b_s34b_b79k"


def published_table(records: list[dict[str, Any]]) -> Table:
    columns = list(records[0]["mean"])
    table = Table("tower", "form", "classes", *columns, title="published factors, mean ± standard error")
    for record in records:
        mean, error = record["mean"], record["standard_error"]
        cells = [f"{mean[key]:.3g} ± {error[key]:.1g}" for key in columns]
        table.add_row(str(record["tower"]), str(record["form"]), str(record["classes"]), *cells)
    return table


def zero_shot_table(records: list[dict[str, Any]]) -> Table:
    keys = ("nll", "ece", "error_auroc")
    table = Table(
        "model", "T", "accuracy", *keys, "noise/signal", *(f"{key} − plain at its T" for key in keys)
    )
    for record in records:
        cells = [f"{record[key]:.3f}" for key in ("temperature", "accuracy", *keys)]
        cells.append(f"{record['noise_over_signal']:.3g}" if "λ" in record else "")
        for key in keys:
            each = record[f"{key}_difference"]
            cells.append("{value:+.3f} [{low:+.3f}, {high:+.3f}]".format(**each))
        table.add_row(str(record["model"]), *cells)
    return table


def with_low_and_high(record: dict[str, Any], key: str) -> str:
    """A value with its interval where the record has one."""
    value, interval = record.get(key, ""), record.get("intervals", {}).get(key)
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text if interval is None else "{} [{:.3g}, {:.3g}]".format(text, *interval)


def shift_tables(records: list[dict[str, Any]]) -> list[Table]:
    """Means of the scores by set, how well each tells an error, and how much better than the plain confidence."""
    plain = [key for key in records[0] if key != "intervals" and not key.startswith("AUROC")]
    areas = [key for key in records[0] if key.startswith("AUROC")]
    means = Table(*plain, title="domain shift: error and mean scores, 95 % over images")
    told = Table("set", *areas, title="AUROC of the plain model's errors, 95 % over images")
    better = Table("set", *areas, title="the same less the plain confidence's")
    for record in records:
        if record["set"] != "all clothing":
            means.add_row(*(with_low_and_high(record, key) for key in plain))
        told.add_row(record["set"], *(with_low_and_high(record, key) for key in areas))
        gaps = record.get("AUROC − plain's")
        ends = [
            gaps[key.removeprefix("AUROC ")] if gaps else record["intervals"][f"{key} − plain's"]
            for key in areas
        ]
        better.add_row(record["set"], *("[{:+.3f}, {:+.3f}]".format(*end) for end in ends))
    return [means, told, better]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("PROBAL_BENCH_DATA"))
    parser.add_argument("--cache", type=Path, help=".npz to keep the encoder's vectors in")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=100, help="drawn activations per seed")
    parser.add_argument("--classes", type=int, default=10, help="drawn classes")
    parser.add_argument("--pool", type=int, default=600, help="clothing images that the curvature is of")
    parser.add_argument("--digits", type=int, default=300)
    parser.add_argument("--pseudo-count", type=float, default=10_000.0, help="of the shift measurement")
    parser.add_argument("--only", choices=("published", "clothing"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data DIR or set PROBAL_BENCH_DATA")
    data, console = Path(arguments.data), Console(width=240)
    torch.set_num_threads(1)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    console.print(machine)
    results: dict[str, Any] = {
        "machine": machine,
        "arguments": {k: str(v) for k, v in vars(arguments).items()},
    }
    if arguments.only != "clothing":
        records = measure_published(data / PUBLISHED, arguments.seeds, arguments.images, arguments.classes)
        console.print(published_table(records))
        results["published"] = records
        results["evidence"] = searched = measure_evidence(data / PUBLISHED)
        console.print("search for λ:", searched)
    if arguments.only != "published":
        if arguments.cache and arguments.cache.exists():
            vectors = dict(np.load(arguments.cache))
        else:
            encoder = load_encoder("embedded")
            vectors = collect(encoder, data / "images" / "clothing", arguments.pool, arguments.digits, 0)
            if arguments.cache:
                np.savez(arguments.cache, allow_pickle=False, **vectors)
        sets = sets_of(vectors)
        results["zero_shot"] = found = zero_shot(sets, 0)
        console.print(zero_shot_table(found))
        results["leverage"] = leverage_facts(sets, arguments.pseudo_count)
        console.print_json(json.dumps(results["leverage"], ensure_ascii=False))
        results["shifts"] = moved = shifts(sets, arguments.pseudo_count)
        for table in shift_tables(moved):
            console.print(table)
        results["directions"] = directions(sets)
        console.print("output directions that the classes determine:", results["directions"])
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
