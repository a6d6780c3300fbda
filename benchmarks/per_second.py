"""Should `auto` ask for information per second? The gain of an image over the seconds that its answer should take.

    python -m benchmarks.per_second --data DIR --out results/per_second [--seeds 10] [--sets digits food10]

An image that the model calls right is confirmed, and the model says how likely that is: its expected seconds are
`choose − (choose − confirm) · max p`. Herding picks by gain; here it picks by gain over these seconds. Both are
compared with random sampling over the seconds really spent (`probal.simulate.hands`). Kept runs as in `label_ratio`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.label_ratio import in_seconds, markdown
from benchmarks.options import options, told
from benchmarks.sets import load_sets
from probal.acquisition import uncertainty
from probal.acquisition.herding import REACH
from probal.simulate import AdapterLearner, Hands, OwnLearner, Run, do, result_of
from probal.simulate.learner import Round

_FLOOR = 1e-3


class PerSecond(AdapterLearner):
    """Herding by gain over expected seconds, on pools that fit into one window."""

    def __init__(self, hands: Hands) -> None:
        super().__init__("herding", "bayes")
        self._hands = hands

    def identity(self) -> Mapping[str, str]:
        return {**super().identity(), "strategy": "auto per second", "hands": repr(self._hands)}

    def query(self, now: Round, batch: int) -> np.ndarray:
        """Greedy picks as `probal.acquisition.herding`, each gain over the image's seconds."""
        free = torch.from_numpy(now.free)
        assert self._posterior is not None
        x = torch.from_numpy(now.x).float()
        p = uncertainty(self._posterior.logits(x[free])).predictive.float()
        best = p.topk(2, dim=1).values
        doubt = (1 - (best[:, 0] - best[:, 1])).clamp(min=_FLOOR)
        seconds = self._hands.choose - (self._hands.choose - self._hands.confirm) * best[:, 0]
        centre = x[free].mean(0)
        points = torch.nn.functional.normalize(x[free] - centre)
        seen = torch.from_numpy(np.concatenate([now.rows, now.flagged]))
        kernel, reached = _kernel(points, torch.nn.functional.normalize(x[seen] - centre), batch)
        picked: list[int] = []
        for _ in range(min(batch, len(free))):
            gain = doubt @ (kernel - reached.unsqueeze(1)).clamp(min=0) / seconds
            gain[picked] = -torch.inf
            picked.append(int(gain.argmax()))
            reached = torch.maximum(reached, kernel[picked[-1]])
        return free[picked].numpy()


def _kernel(points: Tensor, labeled: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    """Kernel [m,m] of the free images, and how far the labels cover each [m]."""
    distance = (2 - 2 * points @ points.T).clamp(min=0)
    share = min(len(points), max(2, round(len(points) / (len(labeled) + batch)) + 1))
    radius = max(REACH * float(distance.kthvalue(share, dim=1).values.median()), 1e-6)
    reached = torch.zeros(len(points))
    if len(labeled):
        reached = (2 - 2 * points @ labeled.T).clamp(min=0).amin(1).div(-radius).exp()
    return (-distance / radius).exp(), reached


@dataclass(frozen=True)
class Make:
    """Makes the learner in another process."""

    hands: Hands

    def __call__(self) -> PerSecond:
        return PerSecond(self.hands)


def main() -> None:
    arguments = options(__doc__, 10, ["digits", "food10", "cifar10", "pets"]).parse_args()
    hands, chosen = Hands(), load_sets(arguments.sets, arguments.data)
    runs = [
        Run(source, make, each.batch_size, each.budget, seed)
        for each, source in chosen
        for make in (OwnLearner("auto", "bayes"), Make(hands), OwnLearner("random", "bayes"))
        for seed in range(arguments.seeds)
    ]
    found: list[dict[str, Any]] = do(runs, arguments.out.with_suffix(".runs.jsonl"), arguments.jobs)
    result = result_of([source for _, source in chosen], found)
    arguments.out.with_suffix(".json").write_text(json.dumps(result), "utf-8")
    print(f"{arguments.seeds} seeds\n\n{markdown(found, [])}\n{in_seconds(found, hands)}")


if __name__ == "__main__":
    told(main)
