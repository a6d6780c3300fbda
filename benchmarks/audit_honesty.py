"""Do the promises about the curve hold? Many replicates of the labeling loop, each with all truths known.

    python benchmarks/audit_honesty.py --data DIR --out DIR [--replicates 2000]
        [--settings digits-auto synthetic-auto-500-audit0.2-bayes-fixed]
    python benchmarks/audit_honesty.py --out DIR --report

One JSON line per replicate and setting is appended to `--out`, so that a run goes on where it was stopped. A line
carries a digest of the code that it came from: lines of other code are done again, and the report, made from the
lines alone, leaves them out.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import platform
import time
from pathlib import Path
from typing import Any

import _audit_loop
import numpy as np
from _audit_loop import FIXED, PRECISIONS, Setting, replicate, world
from joblib import Parallel, delayed

from probal.acquisition import find_strategy
from probal.evaluation import PRELIMINARY_BELOW, accuracy_interval, anytime_interval, spent_level
from probal.session.measure import cross_fitted_hits
from probal.simulate.code import code_digest

# audit 0.2 is a share of the pool; the last two reach past the 200 labels that stopping looks ahead, and the 149
# audit labels that a promise of 98 % takes
SETTINGS = [
    Setting("synthetic", "auto", 500, 0.2, 200, 20),
    Setting("synthetic", "random", 500, 0.2, 200, 20),
    Setting("digits", "auto", 500, 0.2, 200, 20),
    Setting("digits", "margin", 500, 0.2, 200, 20),
    Setting("food10_vitb32", "auto", 1000, 0.2, 400, 40),
    Setting("synthetic", "auto", 1000, 120, 600, 60),
    Setting("easy", "random", 5000, 200, 1000, 200),
    # for as many replicates as a coverage to half a point takes
    Setting("synthetic", "auto", 500, 0.2, 200, 20, FIXED),
    Setting("synthetic", "random", 500, 0.2, 200, 20, FIXED),
    Setting("digits", "auto", 500, 0.2, 200, 20, FIXED),
    Setting("digits", "margin", 500, 0.2, 200, 20, FIXED),
]
WORTH = 0.02


def code_of(setting: Setting) -> str:
    """Digest of all that a replicate's result depends on."""
    strategy, adapter = find_strategy(setting.strategy), setting.make_adapter(1.0)
    found = code_digest(
        (
            strategy.__module__,
            type(adapter).__module__,
            "probal.evaluation.stopping",
            "probal.evaluation.risk_control",
            "probal.evaluation.neighbourhood",
        )
    )
    own = inspect.getsource(_audit_loop) + inspect.getsource(cross_fitted_hits)
    return hashlib.sha256((found + own).encode()).hexdigest()[:16]


def rows(path: Path) -> list[dict[str, Any]]:
    """The finished replicates; a line that was cut when a run was stopped does not count."""
    found = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def run(setting: Setting, code: str, data: Path | None, out: Path, replicates: int, processes: int) -> None:
    path = out / f"{setting.name}.jsonl"
    done = {row["seed"] for row in rows(path) if row.get("code") == code}
    todo = [seed for seed in range(replicates) if seed not in done]
    loaded = world(setting.world, data)
    calls = (delayed(replicate)(loaded, setting, seed) for seed in todo)
    started = time.perf_counter()
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" if path.stat().st_size else "")  # the last line may have been cut
        for count, row in enumerate(Parallel(processes, return_as="generator_unordered")(calls), 1):
            file.write(json.dumps({"code": code, **row}) + "\n")
            file.flush()
            if count % 100 == 0 or count == len(todo):
                spent = time.perf_counter() - started
                print(f"{setting.name}: {count} of {len(todo)} in {spent:.0f} s", flush=True)


def covered(low: float, high: float, truth: float) -> bool:
    return low - 1e-9 <= truth <= high + 1e-9


def coverage(found: list[dict[str, Any]], pool: int) -> dict[str, list[float]]:
    """Coverage of the 95 % interval at every look from 30 audit labels on, by what is estimated and how."""
    kinds: dict[str, list[list[bool]]] = {}
    for row in found:
        for i, look in enumerate(row["looks"]):
            n = look["audit"]
            if n < PRELIMINARY_BELOW or n == row["looks"][i - 1]["audit"]:
                continue
            correct = look["hits"][:n].count("1")
            pointwise = {
                "fresh images, no correction": (None, "fresh_accuracy"),
                "unlabeled pool, N − n_train": (look["unlabeled"], "unlabeled_accuracy"),
                "unlabeled pool, N": (pool, "unlabeled_accuracy"),
                "unlabeled pool, no correction": (None, "unlabeled_accuracy"),
                "whole pool, N": (pool, "pool_accuracy"),
            }
            for name, (population, truth) in pointwise.items():
                hit = covered(*accuracy_interval(correct, n, population), look[truth])
                kinds.setdefault(name, []).append([])
                kinds[name][-1] += [i, hit]
    result = {}
    for name, values in kinds.items():
        pairs = np.array(values)
        by_look = [pairs[pairs[:, 0] == i, 1].mean() for i in np.unique(pairs[:, 0])]
        result[name] = [float(pairs[:, 1].mean()), float(min(by_look))]
    return result


def sequence_coverage(found: list[dict[str, Any]]) -> dict[str, float]:
    """Share of replicates in which the sequence holds for all models at all looks, and for the last model alone."""
    all_models, last_model = [], []
    for row in found:
        looks = row["looks"]
        sizes = sorted({look["audit"] for look in looks} - {0})
        holds = [
            all(
                covered(
                    *anytime_interval(look["hits"][:n].count("1"), n, None, spent_level(i)),
                    look["fresh_accuracy"],
                )
                for n in sizes
                if n >= look["audit"]
            )
            for i, look in enumerate(looks)
        ]
        all_models.append(all(holds))
        last = looks[-1]
        last_model.append(
            all(
                covered(*anytime_interval(last["hits"][:n].count("1"), n), last["fresh_accuracy"])
                for n in sizes
            )
        )
    return {"all models, all looks": float(np.mean(all_models)), "last model": float(np.mean(last_model))}


def stopping(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Where the first advice to stop came, what it cost in accuracy and saved in labels; projections' coverage."""
    lost, saved = [], []
    for row in found:
        first = next((each["look"] for each in row["advice"] if each["verdict"] == "can stop"), None)
        looks = row["looks"]
        at = looks[-1 if first is None else first]
        lost.append(looks[-1]["fresh_accuracy"] - at["fresh_accuracy"])
        saved.append(1 - at["labels"] / looks[-1]["labels"])
    inside = []
    for row in found:
        train = [look["train"] for look in row["looks"]]
        for each in row["advice"]:
            now = row["looks"][each["look"]]
            for ahead in each["projected"]:
                if now["train"] + ahead["labels"] <= train[-1]:
                    gain = np.interp(
                        now["train"] + ahead["labels"], train, [k["fresh_accuracy"] for k in row["looks"]]
                    )
                    inside.append(
                        ahead["low"] - 0.005 <= gain - now["fresh_accuracy"] <= ahead["high"] + 0.005
                    )
    return {
        "stopped": float(np.mean(np.array(saved) > 0)),
        "points lost, mean": 100 * float(np.mean(lost)),
        "lost at most 2 points": float(np.mean(np.array(lost) <= WORTH)),
        "labels saved": float(np.mean(saved)),
        "80 % projections hold (to half a point)": float(np.mean(inside)) if inside else None,
    }


def report(found: list[dict[str, Any]], setting: Setting) -> dict[str, Any]:
    control = np.array([[row["control"]["control"], row["control"]["random"]] for row in found])
    gap = control[:, 0] - control[:, 1]
    finish = {}
    for i, precision in enumerate(PRECISIONS):
        each = [row["finish"][i] for row in found]
        kept = np.array([f["kept"] for f in each])
        broken = [f["wrong"] > (1 - precision) * f["kept"] + 1e-9 for f in each]
        finish[f"{precision:.0%}"] = {
            "promise held": 1 - float(np.mean(broken)),
            "certified something": float(np.mean(kept > 0)),
            "share labeled by the model": float(np.mean(kept / [f["left"] for f in each])),
        }
    return {
        "replicates": len(found),
        "final accuracy on fresh images": float(np.mean([r["looks"][-1]["fresh_accuracy"] for r in found])),
        "interval [mean, worst look]": coverage(found, setting.pool),
        "sequence": sequence_coverage(found),
        "control minus random, points": [
            100 * float(gap.mean()),
            100 * float(gap.std(ddof=1) / len(gap) ** 0.5),
        ],
        "stopping": stopping(found),
        "finish": finish,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with clip_features/*.npz")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--settings", nargs="*", help="names or parts of names; all if left out")
    parser.add_argument("--report", action="store_true", help="only report what is there")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    wanted = arguments.settings or [""]
    summary = {}
    codes = {
        each.name: code_of(each) for each in SETTINGS
    }  # at once: files may change while this runs for hours
    for setting in SETTINGS:
        if not any(part in setting.name for part in wanted):
            continue
        if not arguments.report:
            run(
                setting,
                codes[setting.name],
                arguments.data,
                arguments.out,
                arguments.replicates,
                arguments.processes,
            )
        lines = rows(arguments.out / f"{setting.name}.jsonl")
        found = [row for row in lines if row.get("code") == codes[setting.name]]
        if lines and len(found) < len(lines):
            print(f"{setting.name}: {len(lines) - len(found)} lines of other code left out", flush=True)
        if len(found) > 1:
            summary[setting.name] = report(found, setting)
    result = {"machine": platform.processor() or platform.machine(), "settings": summary}
    text = json.dumps(result, indent=2, ensure_ascii=False)
    (arguments.out / "report.json").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
