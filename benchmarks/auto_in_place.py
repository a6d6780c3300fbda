"""`auto` as a project has it, and with class texts that are wrong: what the tables of `label_ratio` do not show.

    python -m benchmarks.auto_in_place --data DIR --out results/auto_in_place [--seeds 10] [--sets food10 digits dtd]

- asked for four batches: a project's round proposes `RESERVE` batches so that quick hands are not stopped by a fit,
  and the model is mostly fitted again once the first of them is labeled. Here it always is: `auto` chooses four
  batches, the first is labeled, the rest is dropped.
- other classes' texts: where there is a text prior, each class is given the next one's text; and no texts at all.

Area under the curve less that of `auto` in `label_ratio`, in points, paired by seed, ± 95 %. Kept runs as there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.options import options, told
from benchmarks.sets import load_sets
from probal.session.loop import RESERVE
from probal.simulate import CLEAN, AdapterLearner, Conditions, OwnLearner, Round, Run, do, result_of
from probal.simulate.compare import area_difference, areas, curve
from probal.simulate.report import difference

PLAIN = OwnLearner("auto", "bayes")


class Reserving(AdapterLearner):
    """Chooses `RESERVE` batches, of which the first is labeled."""

    def identity(self) -> Mapping[str, str]:
        return {**super().identity(), "strategy": f"auto, {RESERVE} batches"}

    def query(self, now: Round, batch: int) -> np.ndarray:
        return super().query(now, RESERVE * batch)[:batch]


@dataclass(frozen=True)
class Make:
    """Makes the learner in another process."""

    def __call__(self) -> Reserving:
        return Reserving("auto", "bayes")


def main() -> None:
    arguments = options(__doc__, 10, ["food10", "cifar10", "digits", "dtd", "pets"]).parse_args()
    plan: list[tuple[str, str, Run]] = []
    sources = []
    for each, source in load_sets(arguments.sets, arguments.data):
        variants = [("auto", source, PLAIN, CLEAN), (f"chooses {RESERVE} batches", source, Make(), CLEAN)]
        if source.text_x is not None:
            wrong = replace(source, text_x=np.roll(source.text_x, 1, axis=0))
            none = Conditions(no_prior=True)
            variants += [
                ("other classes' texts", wrong, PLAIN, CLEAN),
                ("no texts", source, PLAIN, none),
                ("no texts, random", source, OwnLearner("random", "bayes"), none),
            ]
        sources.append(source)
        plan += [
            (each.name, name, Run(of, make, each.batch_size, each.budget, seed, conditions))
            for name, of, make, conditions in variants
            for seed in range(arguments.seeds)
        ]
    found = do([run for _, _, run in plan], arguments.out.with_suffix(".runs.jsonl"), arguments.jobs)
    arguments.out.with_suffix(".json").write_text(json.dumps(result_of(sources, found)), "utf-8")
    grouped: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for (name, variant, _), result in zip(plan, found, strict=True):
        grouped.setdefault(name, {}).setdefault(variant, []).append(result)
    print(markdown(grouped))


def markdown(grouped: Mapping[str, Mapping[str, list[dict[str, Any]]]]) -> str:
    lines = [
        "| set | variant | no label, % | at budget, % | area, % | area − auto, points |",
        "|---|---|---|---|---|---|",
    ]
    for name, variants in grouped.items():
        plain = curve(variants["auto"])
        for variant, runs in variants.items():
            own = curve(runs)
            less = "–" if variant == "auto" else difference(area_difference(own, plain))
            ends = [f"{100 * own.mean[at]:.1f}" for at in (0, -1)]
            lines.append(
                f"| {name} | {variant} | {' | '.join(ends)} | {100 * areas(own).mean():.1f} | {less} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    told(main)
