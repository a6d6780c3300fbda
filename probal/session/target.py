"""A target to aim at: a folder of unlabeled images or another project's pool, and the pool images near it.

Shapes use the glossary of `probal.types`. Targeted selection of BayesVLM (arXiv 2412.06014): neighbours of the target
under an expected cosine or a Wasserstein distance, then EPIG about it. No label of a target is read anywhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from probal.errors import UserError
from probal.gaussian import GaussianEmbedding
from probal.pool.scan import scan_folder
from probal.posterior import Distance, nearest_to_targets
from probal.random import torch_generator
from probal.session.prepare import Report
from probal.session.towers import Towers
from probal.types import ImageState, Role
from probal.workspace import Workspace

NEIGHBOURS = 20
"""Pool images looked at for each target image; more where that gives fewer than are wanted."""
MAX_TARGETS = 2000
"""Target images that are looked at: so many of a larger folder are drawn."""
TARGET_STRATEGY = "epig"


@dataclass(frozen=True)
class Aim:
    """The target's images, and how near is measured."""

    name: str
    """Folder or project."""
    items: tuple[tuple[str, Path], ...]
    """(content hash, file)."""
    total: int
    """Images that the target has; `items` may be a draw of them."""
    digest: str
    """sha256 over the content hashes, 16 hex."""
    skipped: int = 0
    """Files that could not be read."""
    distance: Distance = Distance.COSINE
    neighbours: int = NEIGHBOURS

    def facts(self) -> dict[str, Any]:
        """For the round's record."""
        return {
            "name": self.name,
            "images": self.total,
            "used": len(self.items),
            "digest": self.digest,
            "distance": str(self.distance),
            "neighbours": self.neighbours,
        }


def find_target(
    workspace: Workspace, towers: Towers, where: str, seed: int, progress: Report | None = None
) -> Aim:
    """The images of a folder, or else of the project of that name, embedded by `towers` (kept, so once).

    Raises UserError where there is neither, no image in it, or none that can be read.
    """
    folder = Path(where).expanduser()
    items = _folder_items(folder, progress) if folder.exists() else _project_items(workspace, where)
    total = len(items)
    if total > MAX_TARGETS:
        drawn = torch.randperm(total, generator=torch_generator(seed, "target"))[:MAX_TARGETS]
        items = [items[i] for i in drawn.sort().values.tolist()]
    failed = dict(towers.embed(items, progress))
    items = [item for item in items if item[0] not in failed]
    # an image at the centre points nowhere: nothing is near it
    length = towers.embeddings([content_hash for content_hash, _ in items]).norm(dim=1) if items else []
    items = [item for item, each in zip(items, length, strict=True) if float(each) > 0]
    if not items:
        raise UserError(f"none of the {total} images of {where} could be read")
    digest = hashlib.sha256("\n".join(sorted(each for each, _ in items)).encode()).hexdigest()[:16]
    name = str(folder.resolve()) if folder.exists() else where
    return Aim(name, tuple(items), total, digest, skipped=len(failed))


def near_target(
    pool: GaussianEmbedding, target: GaussianEmbedding, free: Tensor, aim: Aim, wanted: int
) -> tuple[Tensor, int]:
    """Rows of `free` [m] that are among the k nearest of some target image, ascending, and k.

    k is doubled from `aim.neighbours` until there are as many as `wanted`, or all.
    """
    # a zero row has no direction, and a cosine with it is 0/0
    free = free[pool.rows(free).second_moment() > 0]
    k = aim.neighbours
    if not len(free):
        return free, k
    candidates = pool.rows(free)
    while True:
        near = nearest_to_targets(candidates, target, k, aim.distance)
        if len(near) >= min(wanted, len(free)):
            return free[near], k
        k *= 2


def _folder_items(folder: Path, progress: Report | None) -> list[tuple[str, Path]]:
    told = None if progress is None else lambda done, total: progress(done, total, "Reading the target")
    scanned = scan_folder(folder, None, told)
    return [(image.content_hash, folder / image.path) for image in scanned if image.state is ImageState.OK]


def _project_items(workspace: Workspace, name: str) -> list[tuple[str, Path]]:
    known = [project for project in workspace.store.projects() if project.name == name]
    if not known:
        raise UserError(f"--target {name}: there is no such folder and no such project")
    project = known[0]
    root = Path(project.config.image_root or "")
    images = workspace.store.images(project.id, role=Role.POOL, state=ImageState.OK)
    if not images:
        raise UserError(f"the project '{name}' has no images yet; run: probal embed {name}")
    return [(image.content_hash, root / image.path) for image in images]
