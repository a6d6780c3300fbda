"""What the engine last found out about a project's labeling, as kept in the store; needs no model."""

from __future__ import annotations

from probal.evaluation import Drift, StoppingAdvice
from probal.store import Store
from probal.types import Project

STOPPING, DRIFT = "stopping", "drift"


def stopping(store: Store, project: Project) -> StoppingAdvice | None:
    """Whether to stop labeling, as of the latest measurement; None before the first."""
    kept = store.get_setting(project.id, STOPPING)
    return None if kept is None else StoppingAdvice.from_dict(kept)


def drift(store: Store, project: Project) -> Drift | None:
    """How images added after the first preparation differ; None while there are too few of them."""
    kept = store.get_setting(project.id, DRIFT)
    return None if kept is None else Drift.from_dict(kept)
