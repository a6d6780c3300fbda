"""What a session finds out on the way and keeps in the store, where `probal.advice` reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from probal.advice import DRIFT, STOPPING
from probal.evaluation import StoppingAdvice, detect_drift, stopping_advice
from probal.evaluation.drift import FEWEST, SAMPLE
from probal.pool.features import FeatureStore
from probal.pool.predictions import predictions_path, read_predictions
from probal.random import derive_seed
from probal.session.measure import HeldOut
from probal.session.space import unit_rows
from probal.types import ImageInfo, Project, Round
from probal.workspace import Workspace

_CALLS = "pool_calls"
_FIRST = "first_images"
_POOL_SAMPLE = 1000
_FEWEST_COMMON = 30
"""Unlabeled images that two rounds must share for their agreement to mean anything."""


def advise(
    workspace: Workspace,
    project: Project,
    rounds: Sequence[Round],
    held_out: HeldOut,
    hits: Mapping[int, np.ndarray],
) -> StoppingAdvice | None:
    """Advice after the last of `rounds`, kept in the store; None where its snapshot is gone.

    `hits` are what `measure` found. Rounds fitted on as many labels count once, and those without hits not at all.
    """
    last = rounds[-1]
    of = {each.n_train: hits[each.index] for each in rounds if each.index in hits}
    labels = sorted(n for n in of if n <= last.n_train)
    if last.n_train not in labels:
        return None
    advice = stopping_advice(
        np.stack([of[n] for n in labels]),
        labels,
        np.random.default_rng(derive_seed(project.config.seed, "stopping", last.index)),
        _agreement(workspace, project, last.index, held_out.merged),
        round_index=last.index,
    )
    workspace.store.set_setting(project.id, STOPPING, advice.to_dict())
    return advice


def watch_drift(
    workspace: Workspace,
    project: Project,
    features: FeatureStore,
    centre: np.ndarray | None,
    readable: Sequence[ImageInfo],
) -> None:
    """Compare the images of the first preparation with those that came later, and keep what was found."""
    store = workspace.store
    newest = store.get_setting(project.id, _FIRST)
    if newest is None:
        store.set_setting(project.id, _FIRST, max(image.id for image in readable))
        return
    rng = np.random.default_rng(derive_seed(project.config.seed, "drift"))
    sides = [[image for image in readable if (image.id > newest) is later] for later in (False, True)]
    if min(map(len, sides)) < FEWEST:
        return
    rows = [
        unit_rows(
            features.read([side[i].content_hash for i in rng.permutation(len(side))[:SAMPLE].tolist()]),
            centre,
        )
        for side in sides
    ]
    found = detect_drift(rows[0], rows[1], rng, counts=(len(sides[0]), len(sides[1])))
    store.set_setting(project.id, DRIFT, found.to_dict())


def _agreement(workspace: Workspace, project: Project, index: int, merged: Mapping[int, int]) -> float | None:
    """Share of a fixed sample of the unlabeled pool that this round and the last measured before it call the same.

    `merged` names the class that each is read as now.
    """
    store = workspace.store
    before = store.get_setting(project.id, _CALLS)
    if before is not None and before["round"] == index:
        return None if before["agreement"] is None else float(before["agreement"])
    found = read_predictions(predictions_path(workspace.snapshots_dir, project.id))
    if found is None:
        return None
    ids, called = found.records["image_id"].astype(np.int64), found.records["class_ids"][:, 0]
    # the same images in every round: those with the smallest mixed-up ids
    some = np.argsort(ids * 2_654_435_761 % 2**32, kind="stable")[:_POOL_SAMPLE]
    now = dict(zip(ids[some].tolist(), called[some].tolist(), strict=True))
    agreement = None
    if before is not None:
        then = dict(zip(before["image_ids"], before["class_ids"], strict=True))
        common = then.keys() & now.keys()
        if len(common) >= _FEWEST_COMMON:
            agreement = sum(merged[then[i]] == merged[now[i]] for i in common) / len(common)
    kept = {"round": index, "agreement": agreement, "image_ids": [*now], "class_ids": [*now.values()]}
    store.set_setting(project.id, _CALLS, kept)
    return agreement
