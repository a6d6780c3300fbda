"""What the engine last found out about a project's labeling, as kept in the store; needs no model."""

from __future__ import annotations

from probal.evaluation import Drift, StoppingAdvice
from probal.store import Store
from probal.types import Project, Round

STOPPING, DRIFT = "stopping", "drift"
_EVEN = 0.9
"""Share of the images counting, above which their doubts are as good as equal."""


def stopping(store: Store, project: Project) -> StoppingAdvice | None:
    """Whether to stop labeling, as of the latest measurement; None before the first."""
    kept = store.get_setting(project.id, STOPPING)
    return None if kept is None else StoppingAdvice.from_dict(kept)


def drift(store: Store, project: Project) -> Drift | None:
    """How images added after the first preparation differ; None while there are too few of them."""
    kept = store.get_setting(project.id, DRIFT)
    return None if kept is None else Drift.from_dict(kept)


def decision(of: Round) -> str | None:
    """How the round's images were chosen, in a sentence; None for a strategy that leaves nothing to tell."""
    decided = of.config.get("decided")
    if decided is None:
        return None
    doubt, counting = decided["doubt"], decided["counting"]
    if of.n_train == 0:
        covered = "No label covers anything yet"
    else:
        images, doubts = decided["covered"], decided["doubt_covered"]
        covered = f"Labels so far cover {images:.0%} of the other images and {doubts:.0%} of the doubt"
    if counting > _EVEN:
        way = f"the model doubts nearly all images alike ({doubt:.0%} on average), so covering them counts"
    else:
        way = (
            f"the model doubts images by {doubt:.0%} on average, and unevenly: the doubt weighs like that of "
            f"{counting:.0%} of them, so uncertainty counts beside coverage"
        )
    return f"{covered}; {way}. A label reaches images down to a similarity of {decided['reach']:.2f}."
