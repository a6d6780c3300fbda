"""Near-duplicates in a project: grouped in the pool, kept apart from the audit."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from probal.explore import load_catalog
from probal.explore.catalog import near_audit
from probal.explore.duplicates import find_groups, keep_from_audit, members, widen
from probal.pool.features import FeatureStore
from probal.pool.scan import scan_folder
from probal.types import ImageInfo, ImageState, Project, Role
from probal.workspace import Workspace

WIDTH = 8


def quiet(done: int, total: int, message: str) -> None:
    pass


def blobs(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize((120, 120), Image.Resampling.BICUBIC)


def project_with_copies(workspace: Workspace, folder: Path) -> tuple[Project, dict[str, ImageInfo]]:
    """Eight pictures; a and b have a blurred and a shrunk copy each, g looks like h and has another vector."""
    folder.mkdir()
    for seed, name in enumerate("abcdef"):
        blobs(seed).save(folder / f"{name}.png")
    for name in "ab":
        image = Image.open(folder / f"{name}.png")
        image.filter(ImageFilter.GaussianBlur(1)).save(folder / f"{name}-blurred.png")
        image.resize((60, 60)).save(folder / f"{name}-small.png")
    blobs(9).save(folder / "g.png")
    blobs(9).resize((70, 70)).save(folder / "h.png")
    project = workspace.create_project("copies", images=folder, classes=["x", "y"], audit=0)
    workspace.store.sync_images(project.id, scan_folder(folder))
    images = {image.path[:-4]: image for image in workspace.store.images(project.id, state=ImageState.OK)}
    axis = {name: i for i, name in enumerate("abcdefgh")}
    rows = np.eye(8, WIDTH, dtype=np.float32)[[axis[name[0]] for name in images]]
    FeatureStore(workspace.features_dir, "c0", WIDTH).append(
        [each.content_hash for each in images.values()], rows
    )
    facts = {"fingerprint": "c0", "width": WIDTH, "scale": 1.0, "centred": False, "default_template": "{}"}
    workspace.store.set_setting(project.id, "encoder", facts)
    return project, images


def test_copies_are_grouped_and_what_only_looks_alike_is_not(workspace: Workspace, tmp_path: Path) -> None:
    project, images = project_with_copies(workspace, tmp_path / "copies")
    find_groups(workspace, project, quiet)
    catalog = load_catalog(workspace, project)
    found = {frozenset(catalog.images[i].path[:-4] for i in rows.tolist()) for rows in members(catalog)}
    assert found == {frozenset({name, f"{name}-blurred", f"{name}-small"}) for name in "ab"}
    one = catalog.rows([images["a"].id, images["d"].id])
    assert {catalog.images[i].path[0] for i in widen(catalog, one).tolist()} == {"a", "d"}
    assert len(widen(catalog, one)) == 4


def test_copies_of_audit_images_leave_the_pool_and_come_back_with_their_role(
    workspace: Workspace, tmp_path: Path
) -> None:
    project, images = project_with_copies(workspace, tmp_path / "copies")
    store = workspace.store
    store.set_role(project.id, [images["a-small"].id, images["c"].id], Role.AUDIT)
    keep_from_audit(workspace, project, quiet)
    assert near_audit(store, project) == {images["a"].id, images["a-blurred"].id}
    shown = {image.path[:-4] for image in load_catalog(workspace, project).images}
    assert shown == images.keys() - {"a", "a-small", "a-blurred", "c"}
    (tmp_path / "copies" / "a-small.png").unlink()
    store.sync_images(project.id, scan_folder(tmp_path / "copies"))
    keep_from_audit(workspace, project, quiet)
    assert near_audit(store, project) == {images["a"].id, images["a-blurred"].id}  # its file may come back
    store.set_role(project.id, [images["a-small"].id], Role.POOL)
    keep_from_audit(workspace, project, quiet)
    assert near_audit(store, project) == set()
