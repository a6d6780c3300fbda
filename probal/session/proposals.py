"""A strategy's picks in the store's words: row numbers become image and class ids."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from probal.acquisition import Pick
from probal.types import ClassInfo, ImageInfo, NewProposal, Reason

_TOP_CLASSES = 50
"""Predicted classes kept with a proposal."""


def describe(
    picks: Sequence[Pick],
    images: Sequence[ImageInfo],
    classes: Sequence[ClassInfo],
    predictive: Tensor,
    strategy: str,
    target: str | None = None,
) -> list[NewProposal]:
    """Picks among `images` [N] with `predictive` [N,C] over `classes` [C], in their order.

    `target` names the folder or project that the labels are to help, if any.
    """
    described = []
    for pick in picks:
        probability, at = predictive[pick.row].topk(min(len(classes), _TOP_CLASSES))
        reason = Reason(
            strategy=strategy,
            phase=pick.phase,
            score=pick.score,
            total=pick.total,
            aleatoric=pick.aleatoric,
            epistemic=pick.epistemic,
            contested=tuple((classes[c].id, p) for c, p in pick.contested),
            cluster=pick.cluster,
            nearest_labeled=None if pick.nearest is None else images[pick.nearest].id,
            nearest_similarity=pick.similarity,
            target=target,
        )
        predicted = tuple((classes[c].id, p) for c, p in zip(at.tolist(), probability.tolist(), strict=True))
        described.append(NewProposal(images[pick.row].id, predicted, reason))
    return described
