"""A class-balanced batch: uncertain images of the classes that have the fewest labels."""

from __future__ import annotations

import torch

from probal.acquisition.base import AcquisitionState, Choice
from probal.acquisition.scores import margin_of


def balanced_margin(state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Choice]:
    """Each pick is the smallest margin among images predicted as the class with the fewest labels so far.

    The greedy form of class-balanced acquisition (Bengar et al. 2022, arXiv 2110.04543, eq. 4: the batch's
    expected counts bring each class up to an equal share). Labels count as they are, pending images and the
    batch's own as predicted; a class without candidates leaves its turn to the next. The score is one minus
    the margin.
    """
    predictive = state.uncertainty.predictive
    predicted = predictive.argmax(1)  # [N]
    doubt = 1 - margin_of(predictive)
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
