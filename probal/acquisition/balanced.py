"""A class-balanced batch: uncertain images of the classes that have the fewest labels."""

from __future__ import annotations

import torch

from probal.acquisition.base import AcquisitionState, Choice, Strategy
from probal.acquisition.doubts import DOUBTS


def balanced(score: str) -> Strategy:
    """The strategy that fills up the classes with fewest labels, by "margin", "entropy" or "bald".

    Each pick has the highest score among images predicted as the class with the fewest labels so far: the greedy
    form of class-balanced acquisition (Bengar et al. 2022, arXiv 2110.04543, eq. 4: the batch's expected counts
    bring each class up to an equal share). Labels count as they are, pending images and the batch's own as
    predicted; a class without candidates leaves its turn to the next. The score of a margin is one minus it.
    """
    score_of = DOUBTS[score]

    def strategy(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
        predicted = state.uncertainty.predictive.argmax(1)  # [N]
        doubt = score_of(state)
        c = state.n_classes
        counts = torch.bincount(torch.cat([state.labels, predicted[state.pending]]), minlength=c)
        rows = state.candidates[doubt[state.candidates].argsort(descending=True, stable=True)]
        queues = [rows[predicted[rows] == each].tolist()[::-1] for each in range(c)]
        choices: list[Choice] = []
        for _ in range(batch):
            # of equally many labels the class with the most doubtful image goes first
            needy = min(
                (each for each in range(c) if queues[each]),
                key=lambda each: (int(counts[each]), -float(doubt[queues[each][-1]])),
            )
            row = queues[needy].pop()
            choices.append(Choice(row, float(doubt[row]), "balance"))
            counts[needy] += 1
        return choices

    return strategy


balanced_margin = balanced("margin")
balanced_entropy = balanced("entropy")
balanced_bald = balanced("bald")
