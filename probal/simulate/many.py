"""Many simulations in one go: sources, strategies, adapters, batch sizes and seeds, in parallel and resumable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import Parallel, cpu_count, delayed

from probal import validate
from probal.errors import UserError
from probal.simulate.learner import Learner
from probal.simulate.own import AdapterLearner
from probal.simulate.play import play
from probal.simulate.record import Record, run_key
from probal.simulate.source import Report, Source
from probal.simulate.task import CLEAN, Conditions, split

MakeLearner = Callable[[], Learner]


@dataclass(frozen=True)
class Run:
    """One curve to compute; pickled into a process of its own."""

    source: Source
    make: MakeLearner
    batch_size: int
    budget: int
    seed: int
    conditions: Conditions = CLEAN

    def key(self) -> str:
        """Equal keys, equal results."""
        return run_key(
            source=self.source.digest,
            learner=dict(self.make().identity()),
            batch_size=self.batch_size,
            budget=self.budget,
            seed=self.seed,
            conditions=self.conditions.as_dict(),
        )

    def result(self, key: str) -> dict[str, Any]:
        """The curves with all that tells them from others', as one entry of the JSON's `runs`."""
        learner = self.make()
        task = split(self.source, self.seed, self.conditions)
        return {
            "source": self.source.name,
            "encoder": self.source.encoder,
            **{name: value for name, value in learner.identity().items() if name != "code"},
            "batch_size": self.batch_size,
            "budget": self.budget,
            "seed": self.seed,
            "conditions": self.conditions.as_dict(),
            **play(task, learner, self.batch_size, self.budget, self.seed),
            "key": key,
        }


@dataclass(frozen=True)
class OwnLearner:
    """Makes ProbAL's learner of these ids."""

    strategy: str
    adapter: str

    def __call__(self) -> AdapterLearner:
        return AdapterLearner(self.strategy, self.adapter)


def simulate(
    sources: Sequence[Source],
    strategies: Sequence[str],
    *,
    adapters: Sequence[str] = ("bayes",),
    batch_sizes: Sequence[int] = (10,),
    budget: int = 200,
    seeds: int = 5,
    conditions: Conditions = CLEAN,
    record: Path | None = None,
    jobs: int | None = None,
    progress: Report | None = None,
) -> dict[str, Any]:
    """Every strategy and adapter on every source and seed, as the JSON of design §5.

    `labels[0] = 0` is the state before any label. Runs found in `record` are not done again; each finished one is
    added to it at once. UserError for ids that do not exist or cannot run here and conditions that do not fit, before
    any work.
    """
    for strategy in strategies:
        validate.untrained_strategy(strategy, "a simulation")
    for source in sources:
        conditions.check(source)
    makers = [OwnLearner(strategy, adapter) for adapter in adapters for strategy in strategies]
    for make in makers:
        make()
    runs = [
        Run(source, make, batch_size, budget, seed, conditions)
        for source in sources
        for batch_size in batch_sizes
        for make in makers
        for seed in range(seeds)
    ]
    return result_of(sources, do(runs, record, jobs, progress))


def do(
    runs: Sequence[Run], record: Path | None, jobs: int | None = None, progress: Report | None = None
) -> list[dict[str, Any]]:
    """Results of `runs` in their order, those of the record without doing them again.

    `jobs` processes, at most one per core, None being that many. UserError for fewer than one.
    """
    if jobs is not None and jobs < 1:
        raise UserError(f"jobs is a number of processes, at least 1, got {jobs}")
    report = progress or (lambda done, total, message: None)
    kept = Record(record)
    keys = [run.key() for run in runs]
    missing = [(run, key) for run, key in zip(runs, keys, strict=True) if kept.get(key) is None]
    report(len(runs) - len(missing), len(runs), "Simulating")
    # one thread a process: the matrices are small, and two processes use two cores better than two threads do
    parallel = Parallel(n_jobs=min(jobs or cpu_count(), cpu_count()), return_as="generator_unordered")
    for count, result in enumerate(parallel(delayed(run.result)(key) for run, key in missing), 1):
        kept.add(result)
        report(len(runs) - len(missing) + count, len(runs), "Simulating")
    # a kept run may have come from a file that has another name by now
    return [
        {**found, "source": run.source.name}
        for run, key in zip(runs, keys, strict=True)
        if (found := kept.get(key)) is not None
    ]


def result_of(sources: Sequence[Source], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The JSON around the runs."""
    return {
        "source": ", ".join(source.name for source in sources),
        "encoder": ", ".join(dict.fromkeys(source.encoder for source in sources)),
        "sources": [
            {"source": source.name, "encoder": source.encoder, "classes": list(source.classes)}
            for source in sources
        ],
        "runs": list(runs),
    }
