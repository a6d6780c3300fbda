"""Drift and mistakes: does the loop recover? Four ways in which labeling goes wrong, as curves.

    python -m benchmarks.mistakes --out results/mistakes [--data DIR] [--seeds 20] [--jobs 2]
        [--svg docs/images/mistakes.svg]

- 5, 10 and 20 % of the answers are wrong; with and without asking again what the model doubts;
- one of three people takes one class for another; found by images that all three see, and repaired, or not;
- a class is listed in the fifth round only;
- the pool grows by images of another kind (digits moved by one pixel), or of the same kind: the warning must come,
  and must not come.

On digits, and with --data the first on Food10 too. A seed fixes pool, oracle and people, so that differences are
paired. Finished runs are kept in OUT.runs.jsonl, and the same command goes on there. Writes OUT.json and the figure.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from benchmarks import _mistakes_loop as loops
from benchmarks._panels import Line, Panel, draw
from benchmarks.options import options, told
from benchmarks.sets import load_sets
from probal.simulate import Source
from probal.simulate.code import code_digest
from probal.simulate.compare import estimate
from probal.simulate.own import AdapterLearner
from probal.simulate.record import Record, run_key
from probal.threads import single_thread

STRATEGIES = ("auto", "random")
Curves = dict[str, list[Any]]


@dataclass(frozen=True)
class Job:
    """One curve."""

    scenario: str
    set: str
    strategy: str
    variant: str
    seed: int
    play: Callable[[Source, int, str], Curves]

    def run(self, source: Source, key: str) -> dict[str, Any]:
        with single_thread():
            curves = self.play(source, self.seed, self.strategy)
        return {**self.what(), **curves, "key": key}

    def what(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario, "set": self.set, "strategy": self.strategy, "variant": self.variant,
            "seed": self.seed,
        }  # fmt: skip


@dataclass(frozen=True)
class Play:
    """A function of `_mistakes_loop` with its settings; can be sent to another process."""

    function: Callable[..., Curves]
    settings: tuple[Any, ...]

    def __call__(self, source: Source, seed: int, strategy: str) -> Curves:
        return self.function(source, seed, strategy, *self.settings)


def plan(sets: list[str], seeds: int) -> list[Job]:
    found = []
    for strategy in STRATEGIES:
        for name in sets:
            for wrong in (0.0, 0.05, 0.1, 0.2):
                for check in (False, True):
                    variant = f"{wrong:.0%} wrong" + (", checked" if check else "")
                    found.append(("noise", name, strategy, variant, Play(loops.noise, (wrong, check))))
        for check in (False, True):
            variant = "repaired once found" if check else "not repaired"
            found.append(("annotator", "digits", strategy, variant, Play(loops.annotator, (check,))))
        for late in (False, True):
            variant = "listed in round 5" if late else "listed from the start"
            found.append(("added class", "digits", strategy, variant, Play(loops.added_class, (late,))))
        for change in (None, loops.one_pixel_right):
            variant = "the same kind" if change is None else "moved by a pixel"
            found.append(("growing pool", "digits", strategy, variant, Play(loops.growing_pool, (change,))))
    return [Job(*each[:4], seed, each[4]) for each in found for seed in range(seeds)]


def run(jobs: list[Job], sources: dict[str, Source], record: Path, processes: int) -> list[dict[str, Any]]:
    kept = Record(record)
    learners = {name: AdapterLearner(name, "bayes").identity()["code"] for name in STRATEGIES}
    checks = code_digest(("probal.evaluation.mistakes", "probal.evaluation.drift"))
    own = hashlib.sha256((inspect.getsource(loops) + checks).encode()).hexdigest()
    keys = [
        run_key(**job.what(), source=sources[job.set].digest, code=[learners[job.strategy], own])
        for job in jobs
    ]
    missing = [(job, key) for job, key in zip(jobs, keys, strict=True) if kept.get(key) is None]
    parallel = Parallel(processes, return_as="generator_unordered")
    for count, found in enumerate(
        parallel(delayed(job.run)(sources[job.set], key) for job, key in missing), 1
    ):
        kept.add(found)
        if count % 20 == 0:
            print(f"{count} of {len(missing)}", flush=True)
    return [result for key in keys if (result := kept.get(key)) is not None]


class Results:
    """Runs by what they are, and the tables and curves made of them."""

    def __init__(self, runs: list[dict[str, Any]]) -> None:
        self.runs = runs

    def of(self, scenario: str, name: str, strategy: str, variant: str) -> list[dict[str, Any]]:
        wanted = (scenario, name, strategy, variant)
        found = [r for r in self.runs if (r["scenario"], r["set"], r["strategy"], r["variant"]) == wanted]
        return sorted(found, key=lambda r: r["seed"])

    def line(self, label: str, what: tuple[str, str, str, str], metric: str = "accuracy") -> Line:
        """Mean and interval over seeds, read off at common numbers of answers."""
        runs = self.of(*what)
        last = min(r["answers"][-1] for r in runs)
        at = np.linspace(0, last, 21)
        values = np.array([np.interp(at, r["answers"], r[metric]) for r in runs])
        each = [estimate(column) for column in values.T]
        low, high = (
            [getattr(e, end) if getattr(e, end) is not None else e.mean for e in each]
            for end in ("low", "high")
        )
        return Line(label, at.tolist(), [e.mean for e in each], low, high)

    def last(self, what: tuple[str, str, str, str], metric: str = "accuracy") -> np.ndarray:
        return np.array([r[metric][-1] for r in self.of(*what)], float)


def said(values: np.ndarray, sign: bool = False) -> str:
    """Mean of shares in points, with its interval over seeds."""
    found = estimate(100 * values)
    half = "" if found.high is None else f" ± {found.high - found.mean:.1f}"
    return f"{found.mean:+.1f}{half}" if sign else f"{found.mean:.1f}{half}"


def markdown(results: Results, sets: list[str]) -> str:
    lines = [
        "| set, strategy | answers wrong | accuracy at 200 answers | with labels asked again | gained | asked again: "
        "of them wrong | wrong labels left |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in sets:
        for strategy in STRATEGIES:
            for wrong in ("0%", "5%", "10%", "20%"):
                plain, checked = (
                    ("noise", name, strategy, f"{wrong} wrong{end}") for end in ("", ", checked")
                )
                a, b = results.last(plain), results.last(checked)
                asked, mended = (
                    results.last(checked, "asked_again").sum(),
                    results.last(checked, "mended").sum(),
                )
                precision = f"{int(asked / len(a))}: {100 * mended / asked:.0f} %" if asked else "none"
                left, before = (
                    results.last(checked, "wrong_labels").mean(),
                    results.last(plain, "wrong_labels").mean(),
                )
                lines.append(
                    f"| {name}, {strategy} | {wrong} | {said(a)} | {said(b)} | {said(b - a, True)} | {precision} | "
                    f"{left:.1f} of {before:.1f} |"
                )
    lines += ["", "| digits | strategy | result |", "|---|---|---|"]
    for strategy in STRATEGIES:
        plain, mended = (
            ("annotator", "digits", strategy, v) for v in ("not repaired", "repaired once found")
        )
        runs = results.of(*mended)
        at = [r["answers"][r["named"].index(1)] for r in runs if r["named"][-1]]
        misnamed = sum(max(r["misnamed"]) > 0 for r in runs)
        lines.append(
            f"| one of three takes a class for another | {strategy} | named in {len(at)} of {len(runs)}"
            + (f" after {np.median(at):.0f} answers (median)" if at else "")
            + f", someone or some class wrongly in {misnamed}; {said(results.last(plain))} unrepaired, "
            f"{said(results.last(mended))} repaired "
            f"({said(results.last(mended) - results.last(plain), True)}) |"
        )
        known, late = (
            ("added class", "digits", strategy, v) for v in ("listed from the start", "listed in round 5")
        )
        lines.append(
            f"| a class listed in round 5 | {strategy} | {said(results.last(late))} at 200 labels, "
            f"{said(results.last(late) - results.last(known), True)} against the list complete from the start; of "
            f"the new class {said(results.last(late, 'recall_new'))} found, and "
            f"{said(results.last(known, 'recall_new'))} there |"
        )
        same, moved = (("growing pool", "digits", strategy, v) for v in ("the same kind", "moved by a pixel"))
        before = np.array([r["accuracy_new"][loops.GROWS_AT] for r in results.of(*moved)])
        lines.append(
            f"| pool grows at 100 labels | {strategy} | warned in {int(results.last(moved, 'warned').sum())} of "
            f"{len(before)} where images are moved, in {int(results.last(same, 'warned').sum())} where they are not; "
            f"on moved images {said(before)} when they come, {said(results.last(moved, 'accuracy_new'))} 100 labels "
            f"later; on images as before {said(results.last(moved))} |"
        )
    return "\n".join(lines)


def panels(results: Results) -> list[Panel]:
    noise = [
        results.line(f"{wrong} wrong{end}", ("noise", "digits", "auto", f"{wrong} wrong{end}"))
        for wrong in ("0%", "20%")
        for end in ("", ", checked")
    ]
    person = [
        results.line(v, ("annotator", "digits", "auto", v)) for v in ("repaired once found", "not repaired")
    ]
    added = [
        results.line(f"{v}, {s}", ("added class", "digits", s, v))
        for v, s in (
            ("listed from the start", "auto"),
            ("listed in round 5", "auto"),
            ("listed in round 5", "random"),
        )
    ]
    moved = "moved by a pixel"
    grown = [
        results.line("images as before", ("growing pool", "digits", "auto", moved)),
        results.line("moved, auto", ("growing pool", "digits", "auto", moved), "accuracy_new"),
        results.line("moved, random", ("growing pool", "digits", "random", moved), "accuracy_new"),
    ]
    return [
        Panel("Wrong answers", noise),
        Panel("One of three takes a class for another", person),
        Panel("A class is listed in round 5", added),
        Panel("At 100 labels the pool grows by moved images", grown),
    ]


def main() -> None:
    parser = options(__doc__, 20)
    parser.set_defaults(jobs=1)
    parser.add_argument("--svg", type=Path)
    arguments = parser.parse_args()
    sets = ["digits", "food10"] if arguments.data else ["digits"]
    sources = {each.name: source for each, source in load_sets(sets, arguments.data or Path())}
    record = arguments.out.with_suffix(".runs.jsonl")
    results = Results(run(plan(sets, arguments.seeds), sources, record, arguments.jobs))
    arguments.out.with_suffix(".json").write_text(json.dumps(results.runs), "utf-8")
    if arguments.svg:
        draw(panels(results), arguments.svg)
    print(f"{arguments.seeds} seeds\n\n{markdown(results, sets)}")


if __name__ == "__main__":
    told(main)
