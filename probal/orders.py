"""What a page asks of the worker beyond the kind of a job: its parameters, kept with the project. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from probal import validate
from probal.errors import UserError
from probal.store import Store
from probal.types import JobKind, Project

AIM, POSTERIOR_ORDER, CAPTIONS = "aim", "posterior_order", "probvlm_captions"
"""Settings: what every round is aimed at, the posterior asked for last, and the captions ProbVLM is to learn from."""
POSTERIOR, PROBVLM = "posterior", "probvlm"
"""Settings that the engine writes: which posterior is in use, how the project's ProbVLM was trained."""
POSTERIOR_FACTS, PROBVLM_GAIN = "posterior_facts", "probvlm_gain"
"""Settings that the worker writes for the page: what each of them changes."""
SOURCES = ("pool", "pairs", "published")
DAMPINGS = ("exact", "factored")


@dataclass(frozen=True)
class PosteriorOrder:
    """How a posterior is to be made."""

    source: str = "pool"
    """One of SOURCES."""
    path: str | None = None
    """CSV of captioned images, or folder of published factors; None for the pool."""
    pseudo_count: float = validate.PSEUDO_COUNT
    """Images that the unlabeled pool is worth."""
    damping: str = "exact"


def change(store: Store, project: Project, strategy: str, adapter: str, batch_size: int) -> Project:
    """Choose strategy, adapter and batch size anew, and ask for a round with them. UserError for unknown ones."""
    config = replace(
        project.config,
        strategy=validate.strategy(strategy),
        adapter=validate.adapter(adapter),
        batch_size=validate.batch_size(batch_size),
    )
    if config != project.config:
        store.update_config(project.id, config)
        _refit(store, project)
    return replace(project, config=config)


def aim_at(store: Store, project: Project, where: str | None) -> None:
    """Aim every round from now on at a folder or another project, or at nothing; asks for such a round.

    Raises:
        UserError: neither a folder nor another project of that name.
    """
    if where is not None:
        where = where.strip()
        known = {each.name for each in store.projects()} - {project.name}
        folder = Path(where).expanduser()
        if not where or not (folder.is_dir() or where in known):
            raise UserError(
                f"there is no folder and no other project {where!r}: give the folder of the images to aim at"
            )
    store.set_setting(project.id, AIM, where)
    _refit(store, project)


def aim(store: Store, project: Project) -> str | None:
    """The folder or project that rounds are aimed at; None for none."""
    found = store.get_setting(project.id, AIM)
    return None if found is None else str(found)


def ask_posterior(store: Store, project: Project, order: PosteriorOrder) -> None:
    """Queue the making of a posterior. UserError where a file is missing or a number out of range."""
    if order.source not in SOURCES or order.damping not in DAMPINGS:
        raise UserError(f"a posterior comes from {', '.join(SOURCES)}, damped {' or '.join(DAMPINGS)}")
    if not 1 <= order.pseudo_count <= 1e9:
        raise UserError(f"the pool can count as 1 to a billion images, got {order.pseudo_count:g}")
    given = (order.path or "").strip()
    path = Path(given).expanduser() if given else None
    if order.source == "pairs" and (path is None or not path.is_file()):
        raise UserError(f"there is no file {order.path or ''!r}: give a CSV with the columns path,caption")
    if order.source == "published" and (path is None or not path.is_dir()):
        raise UserError(
            f"there is no folder {order.path or ''!r}: give the one that holds the published factors"
        )
    store.set_setting(project.id, POSTERIOR_ORDER, asdict(order))
    store.enqueue(project.id, JobKind.POSTERIOR)


def posterior_order(store: Store, project: Project) -> PosteriorOrder:
    """What was asked for last."""
    return PosteriorOrder(**store.get_setting(project.id, POSTERIOR_ORDER, {}))


def posterior_in_use(store: Store, project: Project) -> bool | None:
    """Whether the project's posterior is used; None where it has none."""
    found = store.get_setting(project.id, POSTERIOR)
    return None if found is None else bool(found["on"])


def use_posterior(store: Store, project: Project, on: bool) -> None:
    """Use the project's posterior from the next round on, or no longer, and ask for that round."""
    found = store.get_setting(project.id, POSTERIOR)
    if found is None:
        raise UserError(f"'{project.name}' has no posterior: make one first")
    store.set_setting(project.id, POSTERIOR, {**found, "on": on})
    _refit(store, project)


def posterior_facts(store: Store, project: Project) -> Mapping[str, Any] | None:
    """What the project's posterior changes; None where the worker has not compared this one."""
    facts, found = store.get_setting(project.id, POSTERIOR_FACTS), store.get_setting(project.id, POSTERIOR)
    return facts if facts is not None and found is not None and facts["id"] == found["id"] else None


def ask_probvlm(store: Store, project: Project, captions: str | None = None) -> None:
    """Queue the training of ProbVLM on the labels, and on a CSV of captions where one is given.

    Raises:
        UserError: there is no such file.
    """
    given = (captions or "").strip()
    if given and not Path(given).expanduser().is_file():
        raise UserError(f"there is no file {given!r}: give a CSV with the columns path,caption")
    store.set_setting(project.id, CAPTIONS, given or None)
    store.enqueue(project.id, JobKind.PROBVLM)


def captions_file(store: Store, project: Project) -> Path | None:
    """The captions that ProbVLM was last asked to learn from; None for labels alone."""
    found = store.get_setting(project.id, CAPTIONS)
    return None if found is None else Path(str(found)).expanduser()


def probvlm_training(store: Store, project: Project) -> Mapping[str, Any] | None:
    """How the project's ProbVLM was trained; None before it was."""
    found: Mapping[str, Any] | None = store.get_setting(project.id, PROBVLM)
    return found


def probvlm_gain(store: Store, project: Project) -> Mapping[str, Any] | None:
    """What the project's ProbVLM adds; None where the worker has not looked at this one."""
    gain, trained = store.get_setting(project.id, PROBVLM_GAIN), probvlm_training(store, project)
    return gain if gain is not None and trained is not None and gain["file"] == trained["file"] else None


def _refit(store: Store, project: Project) -> None:
    if store.latest_round(project.id) is not None:
        store.enqueue(project.id, JobKind.REFIT)
