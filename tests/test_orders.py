"""What a page may ask of the worker: stored with the project, queued once, refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from probal import orders
from probal.errors import UserError
from probal.orders import PosteriorOrder
from probal.types import JobKind, JobState, Project
from probal.workspace import Workspace
from tests.drawn import ready, workspace

__all__ = ["ready", "workspace"]
Make = Callable[..., Project]


def waiting(workspace: Workspace, project: Project) -> list[JobKind]:
    return [job.kind for job in workspace.store.jobs(project.id) if job.state is JobState.QUEUED]


def test_a_change_is_kept_and_asks_for_a_round_once(ready: Make, workspace: Workspace) -> None:
    project = ready()
    same = orders.change(workspace.store, project, "auto", project.config.adapter, 10)
    assert same == project
    assert waiting(workspace, project) == []
    changed = orders.change(workspace.store, project, "margin", "linear", 25)
    assert workspace.store.project("shapes") == changed
    assert (changed.config.strategy, changed.config.adapter, changed.config.batch_size) == (
        "margin",
        "linear",
        25,
    )
    orders.change(workspace.store, changed, "entropy", "linear", 25)
    assert waiting(workspace, project) == [JobKind.REFIT]
    with pytest.raises(UserError):
        orders.change(workspace.store, changed, "no-such", "linear", 25)


def test_rounds_are_aimed_at_what_is_there(ready: Make, workspace: Workspace, tmp_path: Path) -> None:
    project, other = ready(), ready("other")
    for where in (str(tmp_path), other.name):
        orders.aim_at(workspace.store, project, f" {where} ")
        assert orders.aim(workspace.store, project) == where
    orders.aim_at(workspace.store, project, None)
    assert orders.aim(workspace.store, project) is None
    for where in ("", "shapes", str(tmp_path / "gone")):
        with pytest.raises(UserError, match="no folder"):
            orders.aim_at(workspace.store, project, where)


def test_a_posterior_is_ordered_with_its_parameters(
    ready: Make, workspace: Workspace, tmp_path: Path
) -> None:
    project = ready()
    assert orders.posterior_order(workspace.store, project) == PosteriorOrder()
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("path,caption\n")
    order = PosteriorOrder("pairs", str(pairs), damping="factored")
    orders.ask_posterior(workspace.store, project, order)
    assert orders.posterior_order(workspace.store, project) == order
    assert waiting(workspace, project) == [JobKind.POSTERIOR]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (PosteriorOrder("pairs"), "path,caption"),
        (PosteriorOrder("published", "/no/such/folder"), "published factors"),
        (PosteriorOrder("published", ""), "published factors"),
        (PosteriorOrder(pseudo_count=0), "billion"),
        (PosteriorOrder("elsewhere"), "comes from"),
    ],
)
def test_a_posterior_that_cannot_be_made_is_refused(
    ready: Make, workspace: Workspace, order: PosteriorOrder, told: str
) -> None:
    project = ready()
    with pytest.raises(UserError, match=told):
        orders.ask_posterior(workspace.store, project, order)
    assert waiting(workspace, project) == []


def test_the_posterior_is_switched_and_not_invented(ready: Make, workspace: Workspace) -> None:
    project = ready()
    assert orders.posterior_in_use(workspace.store, project) is None
    with pytest.raises(UserError, match="no posterior"):
        orders.use_posterior(workspace.store, project, True)
    workspace.store.set_setting(project.id, orders.POSTERIOR, {"id": "abc", "on": False})
    orders.use_posterior(workspace.store, project, True)
    assert orders.posterior_in_use(workspace.store, project) is True
    assert workspace.store.get_setting(project.id, orders.POSTERIOR)["id"] == "abc"
    assert waiting(workspace, project) == [JobKind.REFIT]
