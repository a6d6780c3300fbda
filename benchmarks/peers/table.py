"""`auto` beside the peers: area by set, ranks, and the paired difference to the best peer of each set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from probal.simulate.compare import area_difference, areas, mean_ranks
from probal.simulate.report import difference
from probal.simulate.summary import Group, groups

OWN = "auto"


def against_peers(runs: Sequence[Mapping[str, Any]]) -> str:
    """Two tables of the runs of `probal simulate` and of peers; a peer is a strategy named `tool/strategy`.

    Areas are means over the seeds that a strategy ran on; ranks are among the strategies that ran on every set.
    The best peer of a set is that of the largest area there: it is chosen after the fact, in the peers' favour.
    """
    by_set = groups(runs)
    names = list(dict.fromkeys(name for group in by_set for name in group.series))
    area = {group.source: {name: _area(group, name) for name in group.series} for group in by_set}
    everywhere = [name for name in names if all(name in each for each in area.values())]
    ranks = mean_ranks([{name: each[name] for name in everywhere} for each in area.values()])
    lines = [
        f"| strategy | seeds | {' | '.join(area)} | mean rank |",
        "|---|---|" + "---|" * (len(area) + 1),
    ]
    # the best first; those that did not run everywhere last
    for name in sorted(names, key=lambda name: (ranks.get(name, len(names) + 1), name)):
        seeds = min(len(group.series[name]) for group in by_set if name in group.series)
        cells = [f"{100 * each[name]:.1f}" if name in each else "–" for each in area.values()]
        rank = f"{ranks[name]:.1f}" if name in ranks else "–"
        lines.append(f"| {name} | {seeds} | {' | '.join(cells)} | {rank} |")
    lines += ["", "| set | best peer | `auto` less it, area in points | seeds |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_best(group, area[group.source]) for group in by_set)])


def _area(group: Group, name: str) -> float:
    return float(areas(group.curve(name)).mean())


def _best(group: Group, area: Mapping[str, float]) -> str:
    peers = [name for name in area if "/" in name.split(" · ")[0]]
    own = next((name for name in area if name.split(" · ")[0] == OWN), None)
    if own is None or not peers:
        return f"| {group.source} | – | – | – |"
    best = max(peers, key=lambda name: area[name])
    one, other = group.curve(own), group.curve(best)
    shared = len(set(one.seeds) & set(other.seeds))
    return f"| {group.source} | {best} | {difference(area_difference(one, other))} | {shared} |"
