"""A simulation's runs grouped by source and batch size, each strategy summed up against random sampling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from probal.simulate.compare import (
    BASELINE,
    Curve,
    Drop,
    Estimate,
    area_difference,
    areas,
    curve,
    drop_below_start,
    estimate,
    final_difference,
    gains,
    label_ratio_estimate,
)
from probal.simulate.hands import Cost, Hands, cost

Runs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Group:
    """What may be compared: one source, one batch size, every strategy with its runs."""

    source: str
    encoder: str
    batch_size: int
    series: dict[str, list[Mapping[str, Any]]]
    """By the name shown: the strategy, and the adapter where there are several."""
    baseline: dict[str, str]
    """Name -> the random sampling that it is measured against, that of its own adapter or
    else the first; absent where none ran."""

    def curve(self, name: str, metric: str = "accuracy", budget: int | None = None) -> Curve:
        """One metric of one strategy, as far as `budget`."""
        found = curve(self.series[name], metric)
        return found if budget is None else found.upto(budget)


@dataclass(frozen=True)
class Summary:
    """One strategy of a group, up to one budget."""

    name: str
    seeds: int
    budget: int
    zero_shot: Estimate
    final: Estimate
    area: Estimate
    """Mean accuracy along the curve, from no label to the budget (trapezoids)."""
    area_gain: Estimate | None
    """Paired by seed: its area less random's; None for random itself or where random did not run."""
    final_gain: Estimate | None
    label_ratio: Estimate | None
    """None also where random sampling gains nothing."""
    drop: Drop
    debiased_ece: float
    """Mean over rounds and seeds."""
    nll: float
    seconds: float
    """Per round, mean."""


def groups(runs: Runs) -> list[Group]:
    """The runs by source and batch size, in the order in which they first appear."""
    adapters = {run.get("adapter") for run in runs}
    found: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for run in runs:
        found.setdefault((run["source"], run["encoder"], run["batch_size"]), []).append(run)
    return [Group(*key, *_series(members, len(adapters) > 1)) for key, members in found.items()]


def _series(runs: Runs, several: bool) -> tuple[dict[str, list[Mapping[str, Any]]], dict[str, str]]:
    series: dict[str, list[Mapping[str, Any]]] = {}
    rival: dict[str, str] = {}
    for run in runs:
        ending = f" · {run['adapter']}" if several else ""
        series.setdefault(run["strategy"] + ending, []).append(run)
        rival[run["strategy"] + ending] = BASELINE + ending
    # other tools bring no random sampling of their own adapter: the first there is
    first = next((name for name in series if name.split(" · ")[0] == BASELINE), None)
    found = {name: other if other in series else first for name, other in rival.items()}
    return series, {name: other for name, other in found.items() if other is not None}


def summarize(group: Group, budget: int | None = None) -> list[Summary]:
    """One summary per strategy, in order, all up to the same label: `budget`, or as far as every strategy got."""
    end = min(int(group.curve(name).labels[-1]) for name in group.series)
    return [_summary(group, name, end if budget is None else min(end, budget)) for name in group.series]


def _summary(group: Group, name: str, budget: int) -> Summary:
    own = group.curve(name, budget=budget)
    rival = group.baseline.get(name)
    area_gain = final_gain = ratio = None
    if rival is not None and rival != name:
        other = group.curve(rival, budget=budget)
        if set(own.seeds) & set(other.seeds):
            area_gain, final_gain = area_difference(own, other), final_difference(own, other)
            if gains(other):
                ratio = label_ratio_estimate(own, other, group.batch_size, np.random.default_rng(0))
    return Summary(
        name=name,
        seeds=len(own.seeds),
        budget=budget,
        zero_shot=estimate(own.values[:, 0]),
        final=estimate(own.values[:, -1]),
        area=estimate(areas(own)),
        area_gain=area_gain,
        final_gain=final_gain,
        label_ratio=ratio,
        drop=drop_below_start(own),
        debiased_ece=float(group.curve(name, "debiased_ece", budget).values.mean()),
        nll=float(group.curve(name, "nll", budget).values.mean()),
        seconds=float(group.curve(name, "seconds", budget).values.mean()),
    )


def costs(group: Group, hands: Hands) -> dict[str, Cost]:
    """Every strategy in seconds of a person, by name."""
    found = {}
    for name, own in group.series.items():
        rival = group.baseline.get(name)
        random = None if rival is None or rival == name else group.series[rival]
        found[name] = cost(own, random, hands, group.batch_size, np.random.default_rng(0))
    return found


def pairs(group: Group) -> Iterator[tuple[str, str, Estimate]]:
    """Area of every strategy less that of every other with which it shares seeds, paired."""
    for one in group.series:
        for other in group.series:
            first, second = group.curve(one), group.curve(other)
            if one != other and set(first.seeds) & set(second.seeds):
                yield one, other, area_difference(first, second)


def wins(difference: Estimate) -> bool:
    """Whether the interval lies above zero."""
    return difference.low is not None and difference.low > 0
