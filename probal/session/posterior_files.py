"""The posterior of a project on disk: both towers, and a record of what they are made from.

    snapshots/<project id>/posterior-<id>/   image.safetensors   text.safetensors   record.json

The id is a hash of the two files. A new posterior gets a folder of its own, and a setting of the project says
which one is in use: rounds name theirs by id, so an old round finds what it was proposed with.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from probal.errors import UserError
from probal.posterior import TowerPosterior, load_posterior, save_posterior
from probal.types import Project
from probal.workspace import Workspace

SETTING = "posterior"
_TOWERS = ("image", "text")


@dataclass(frozen=True)
class PosteriorRecord:
    """What a posterior is made from; JSON on disk."""

    source: str
    """`label-free`, `pairs` or `published`."""
    origin: str | None
    """The file of the pairs or the published folder."""
    encoder: str
    encoder_fingerprint: str
    identity: bool
    """The encoder is its own last layer, see `Towers`."""
    count: float
    """Images or pairs that were read; for published factors, how many the authors say."""
    pseudo_count: float
    """How many of them are counted although nobody labeled or captioned them."""
    loss: str
    """`infonce` or `siglip`."""
    scale: float
    bias: float
    prompts: tuple[str, ...]
    """What the classes were called when it was made."""
    created_at: str
    id: str = ""
    """Hex; set when it is saved."""


@dataclass(frozen=True, eq=False)
class ProjectPosterior:
    """Both towers with their record."""

    record: PosteriorRecord
    image: TowerPosterior
    text: TowerPosterior


def save(workspace: Workspace, project: Project, made: ProjectPosterior) -> PosteriorRecord:
    """Write it and put it in use; the record comes back with its id."""
    root = _root(workspace, project)
    draft = root / "posterior-draft"
    shutil.rmtree(draft, ignore_errors=True)  # of a run that was killed
    for name in _TOWERS:
        save_posterior(draft / f"{name}.safetensors", getattr(made, name))
    digest = hashlib.sha256(b"".join((draft / f"{name}.safetensors").read_bytes() for name in _TOWERS))
    record = replace(made.record, id=digest.hexdigest()[:16])
    (draft / "record.json").write_text(json.dumps(asdict(record), indent=1, ensure_ascii=False), "utf-8")
    folder = _folder(workspace, project, record.id)
    shutil.rmtree(folder, ignore_errors=True)  # the same numbers, from an equal estimate
    draft.replace(folder)
    workspace.store.set_setting(project.id, SETTING, {"id": record.id, "on": True})
    return record


def read_record(workspace: Workspace, project: Project, posterior_id: str) -> PosteriorRecord:
    """What the posterior of that id is made from. UserError where it is gone."""
    path = _folder(workspace, project, posterior_id) / "record.json"
    try:
        found = json.loads(path.read_text("utf-8"))
        return PosteriorRecord(**{**found, "prompts": tuple(found["prompts"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"the posterior {posterior_id} of '{project.name}' is gone or damaged ({path}); make a new one with "
            f"probal posterior estimate {project.name}, or go on without: probal posterior off {project.name}"
        ) from error


def load(workspace: Workspace, project: Project, posterior_id: str) -> ProjectPosterior:
    """The posterior of that id. UserError where a file is gone or damaged."""
    record = read_record(workspace, project, posterior_id)
    folder = _folder(workspace, project, posterior_id)
    image, text = (load_posterior(folder / f"{name}.safetensors") for name in _TOWERS)
    return ProjectPosterior(record, image, text)


def current(workspace: Workspace, project: Project) -> str | None:
    """Id of the project's posterior, in use or not; None where it has none."""
    found = workspace.store.get_setting(project.id, SETTING)
    return None if found is None else str(found["id"])


def in_use(workspace: Workspace, project: Project) -> str | None:
    """Id of the posterior that rounds are proposed with; None for the plain model."""
    found = workspace.store.get_setting(project.id, SETTING)
    return str(found["id"]) if found is not None and found["on"] else None


def switch(workspace: Workspace, project: Project, on: bool) -> None:
    """Use the project's posterior from the next round on, or no longer. UserError where it has none."""
    workspace.store.set_setting(project.id, SETTING, {"id": required(workspace, project), "on": on})


def remove(workspace: Workspace, project: Project) -> str:
    """Delete the posterior; the id of what is gone. UserError where there is none."""
    posterior_id = required(workspace, project)
    workspace.store.set_setting(project.id, SETTING, None)
    shutil.rmtree(_folder(workspace, project, posterior_id), ignore_errors=True)
    return posterior_id


def required(workspace: Workspace, project: Project) -> str:
    """Id of the project's posterior, in use or not. UserError saying how to make one where it has none."""
    found = current(workspace, project)
    if found is None:
        raise UserError(
            f"'{project.name}' has no posterior; make one: probal posterior estimate {project.name}"
        )
    return found


def _root(workspace: Workspace, project: Project) -> Path:
    return workspace.snapshots_dir / str(project.id)


def _folder(workspace: Workspace, project: Project, posterior_id: str) -> Path:
    return _root(workspace, project) / f"posterior-{posterior_id}"
