"""Images that a person put at the head of the next round."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from probal.acquisition import AcquisitionState, Choice, Pick, ask
from probal.explore.actions import BY_HAND
from probal.store import Store
from probal.types import ImageInfo, Project

PHASE = "chosen by hand"


def chosen_by_hand(store: Store, project: Project) -> list[int]:
    """Ids of the images that wait for the next round."""
    return list(store.get_setting(project.id, BY_HAND, {"image_ids": []})["image_ids"])


def begin_with(
    picks: list[Pick], chosen: Sequence[int], images: Sequence[ImageInfo], state: AcquisitionState
) -> list[Pick]:
    """The images `chosen` (ids) that are candidates, in their order, and behind them the strategy's other picks.

    The strategy has chosen without knowing of them: its picks are the same as without.
    """
    row = {images[i].id: i for i in state.candidates.tolist()}
    choices = [Choice(row[image_id], 0.0, PHASE) for image_id in chosen if image_id in row]
    if not choices:
        return picks
    first = ask(lambda *_: choices, state, len(choices), torch.Generator())
    rows = {pick.row for pick in first}
    return [*first, *(pick for pick in picks if pick.row not in rows)]


def done(store: Store, project: Project, chosen: Sequence[int]) -> None:
    """Wait for these no more: a round has been written with all of them that could be in it."""
    if chosen:
        left = [each for each in chosen_by_hand(store, project) if each not in set(chosen)]
        store.set_setting(project.id, BY_HAND, {"image_ids": left})
