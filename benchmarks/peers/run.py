"""Other tools on ProbAL's bench: the same vectors, seeds, batches and measures, each peer at its best fixed setting.

    python -m venv .venv-peers; .venv-peers/bin/pip install -c constraints.txt -e ".[embedded]"
    .venv-peers/bin/pip install --no-deps -r benchmarks/peers/requirements.txt
    .venv-peers/bin/python -m benchmarks.peers.run --data ../shared/data --out results/peers [--seeds 20]
        [--tune-seeds 3] [--finalists 6] [--sets food10 pets] [--tools scikit-activeml baal] [--only margin typiclust]
        [--settings 1000 10000]

First every setting of every peer runs on `--tune-seeds` seeds of all sets; that of the largest mean area over all
is the peer's fixed one, chosen with the answers in sight, in its favour. Then it runs on all seeds; with
`--finalists K` only the K peers of the largest mean area do, and the best of each set, since all take core-hours.
Finished runs are kept in OUT.runs.jsonl, and the same command goes on there. OUT.json holds the chosen settings' runs
in the format of `probal simulate`: `python -m benchmarks.label_ratio --peers OUT.json` compares them with `auto`.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.options import options, told
from benchmarks.peers.registry import TOOLS, MakePeer, peers_of
from benchmarks.sets import SETS, BenchSet, load_sets
from probal.errors import UserError
from probal.simulate import Run, Source, do, result_of
from probal.simulate.compare import area_under

Chosen = Sequence[tuple[BenchSet, Source]]


def main() -> None:
    arguments = parse()
    chosen = load_sets(arguments.sets, arguments.data)
    peers = [peer for tool in arguments.tools for peer in peers_of(tool, arguments.settings)]
    if arguments.only:
        peers = [peer for peer in peers if peer.strategy in arguments.only]
    if not peers:
        raise UserError("--only leaves no strategy of these tools")
    record = arguments.out.with_suffix(".runs.jsonl")
    tuning = plan(chosen, peers, range(min(arguments.tune_seeds, arguments.seeds)))
    areas = areas_by_setting(tuning, go(tuning, record, arguments.jobs, "Settings"))
    best = best_settings(areas)
    show(areas, best)
    kept = finalists(best, areas, arguments.finalists)
    final = plan(chosen, kept, range(arguments.seeds))
    runs = go(final, record, arguments.jobs, "Peers")
    result = {**result_of([source for _, source in chosen], runs), "settings_tried": tried(areas)}
    arguments.out.with_suffix(".json").write_text(json.dumps(result), "utf-8")


def parse() -> argparse.Namespace:
    parser = options(__doc__, 20, list(SETS))
    parser.add_argument("--tune-seeds", type=int, default=3)
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), metavar="TOOL")
    parser.add_argument("--finalists", type=int, metavar="K")
    parser.add_argument("--only", nargs="+", metavar="STRATEGY")
    parser.add_argument("--settings", type=float, nargs="+", help="tried in place of each tool's own")
    return parser.parse_args()


def plan(chosen: Chosen, peers: Sequence[MakePeer], seeds: Sequence[int] | range) -> list[Run]:
    """Every peer on every set that it can use: one that needs class texts is left out where there are none."""
    return [
        Run(source, peer, each.batch_size, each.budget, seed)
        for each, source in chosen
        for peer in peers
        if source.text_x is not None or not peer.needs_text
        for seed in seeds
    ]


def go(runs: Sequence[Run], record: Path, jobs: int | None, what: str) -> list[dict[str, Any]]:
    with Progress() as bar:
        task = bar.add_task(what)
        return do(runs, record, jobs, lambda done, total, _: bar.update(task, completed=done, total=total))


def areas_by_setting(
    runs: Sequence[Run], results: Sequence[Mapping[str, Any]]
) -> dict[MakePeer, dict[str, float]]:
    """Peer with its setting -> set -> area, mean over seeds."""
    found: dict[MakePeer, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run, result in zip(runs, results, strict=True):
        assert isinstance(run.make, MakePeer)
        found[run.make][run.source.name].append(area_under(result["labels"], result["accuracy"]))
    return {
        peer: {name: float(np.mean(values)) for name, values in sets.items()} for peer, sets in found.items()
    }


def best_settings(areas: Mapping[MakePeer, Mapping[str, float]]) -> dict[str, MakePeer]:
    """Each peer at the one setting whose area is largest on average over the sets; the first of equals."""
    best: dict[str, MakePeer] = {}
    for peer, sets in areas.items():
        if peer.name not in best or np.mean([*sets.values()]) > np.mean([*areas[best[peer.name]].values()]):
            best[peer.name] = peer
    return best


def finalists(
    best: Mapping[str, MakePeer], areas: Mapping[MakePeer, Mapping[str, float]], most: int | None
) -> list[MakePeer]:
    """The `most` peers of the largest mean area and the best of each set, in their order; None keeps all.

    A peer that ran on some sets only has no mean to compare; it is kept where it is the best of a set.
    """
    peers = list(best.values())
    if most is None:
        return peers
    names = dict.fromkeys(name for peer in peers for name in areas[peer])
    whole = [peer for peer in peers if set(areas[peer]) == set(names)]
    kept = sorted(whole, key=lambda peer: -float(np.mean([*areas[peer].values()])))[:most]
    for name in names:
        kept.append(max((peer for peer in peers if name in areas[peer]), key=lambda peer: areas[peer][name]))
    return [peer for peer in peers if peer in kept]


def tried(areas: Mapping[MakePeer, Mapping[str, float]]) -> list[dict[str, Any]]:
    return [{"peer": peer.name, "setting": peer.setting, "areas": dict(sets)} for peer, sets in areas.items()]


def show(areas: Mapping[MakePeer, Mapping[str, float]], best: Mapping[str, MakePeer]) -> None:
    names = list(dict.fromkeys(name for sets in areas.values() for name in sets))
    table = Table("peer", "setting", *names, title="Area under the curve by setting, %")
    for peer, sets in areas.items():
        mark = " *" if best[peer.name] == peer else ""
        cells = [f"{100 * sets[name]:.1f}" if name in sets else "–" for name in names]
        table.add_row(peer.name, f"{peer.setting:g}{mark}", *cells)
    Console(width=160).print(table)


if __name__ == "__main__":
    told(main)
