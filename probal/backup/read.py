"""A project out of a backup."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np

from probal.backup.ids import move_ids
from probal.backup.layout import FEATURES, FILES, FORMAT, HASHES, MANIFEST, ROWS, VECTORS, VECTORS_AT_ONCE
from probal.errors import UserError
from probal.pool.features import FeatureStore
from probal.pool.scan import scan_folder
from probal.store import Store
from probal.store.transfer import Shift
from probal.types import ImageState, JobKind, Project
from probal.workspace import Workspace

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class RestoreReport:
    project: Project
    images: int
    """Of the project, readable when it was backed up."""
    found: int
    """Of them, those whose content is in the image folder."""
    vectors: int


def restore(
    workspace: Workspace,
    file: Path,
    name: str | None = None,
    images: Path | None = None,
    progress: Progress | None = None,
) -> RestoreReport:
    """Bring a backup back as a project, all or nothing.

    Args:
        name: what the project is called here; None for the name it had.
        images: where its images lie here; None for where they lay.

    Raises UserError for a file that is no backup or is damaged, a name that is taken, and images that are not there.
    """
    report = progress or (lambda done, total, message: None)
    with _opened(file) as (archive, manifest):
        name = name or str(manifest["project"])
        if any(each.name == name for each in workspace.store.projects()):
            raise UserError(
                f"there is a project named {name!r} already, and nothing is overwritten: give it another name "
                "here (--name in the terminal)"
            )
        root = _image_root(workspace, manifest, images)
        report(0, 0, "Checking the file")
        _check(archive, manifest, file)
        scanned = None
        if root is not None:
            scanned = scan_folder(
                root, progress=lambda done, total: report(done, total, "Reading the images")
            )
        with (
            tempfile.TemporaryDirectory(prefix="probal-restore-") as scratch,
            Store.open(Path(archive.extract(ROWS, scratch))) as rows,
        ):
            project = _copy_in(workspace, rows, archive, manifest, name, root)
        stored = _take_vectors(workspace, archive, manifest)
    store = workspace.store
    known = {image.content_hash for image in store.images(project.id, state=ImageState.OK)}
    found = known
    if scanned is not None and not _is_own(project):
        store.sync_images(project.id, scanned)
        found = known & {each.content_hash for each in scanned}
    if stored < len(known) or len(found) < len(known):
        store.enqueue(project.id, JobKind.PREPARE)
    return RestoreReport(store.project(name), len(known), len(found), stored)


def _is_own(project: Project) -> bool:
    return project.config.encoder.startswith("vectors:")


def _copy_in(
    workspace: Workspace,
    rows: Store,
    archive: zipfile.ZipFile,
    manifest: Mapping[str, Any],
    name: str,
    root: Path | None,
) -> Project:
    made: list[Path] = []

    def place(project_id: int, shift: Shift) -> dict[str, tuple[str, str]]:
        folder = workspace.snapshots_dir / str(project_id)
        shutil.rmtree(folder, ignore_errors=True)  # of a restore that was killed: no project has this id
        made.append(folder)
        snapshots = {}
        for part in _parts(archive, FILES):
            target = folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(f"{FILES}/{part}"))
            move_ids(target, shift)
            old = f"snapshots/{manifest['project_id']}/{part}"
            digest = hashlib.sha256(target.read_bytes()).hexdigest()
            snapshots[old] = (target.relative_to(workspace.path).as_posix(), digest)
        return snapshots

    (only,) = rows.projects()
    try:
        return rows.copy_project(workspace.store, only.name, name, None if root is None else str(root), place)
    except BaseException as error:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise UserError(f"the workspace {workspace.path} cannot be written: {reason}") from error
        raise


def _take_vectors(workspace: Workspace, archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> int:
    facts = manifest["encoder"]
    if facts is None:
        return 0
    folder = workspace.features_dir / facts["fingerprint"]
    folder.mkdir(parents=True, exist_ok=True)
    for part in _parts(archive, FEATURES):
        if not (folder / part).exists():  # named by their content: what is there is the same
            partial = folder / f"{part}.partial"
            partial.write_bytes(archive.read(f"{FEATURES}/{part}"))
            partial.replace(folder / part)
    if VECTORS not in archive.namelist():
        return 0
    hashes = archive.read(HASHES).decode().split()
    features = FeatureStore(workspace.features_dir, facts["fingerprint"], facts["width"])
    with archive.open(VECTORS) as stream:
        for start in range(0, len(hashes), VECTORS_AT_ONCE):
            some = hashes[start : start + VECTORS_AT_ONCE]
            data = stream.read(2 * facts["width"] * len(some))
            features.append(some, np.frombuffer(data, "<f2").reshape(len(some), -1).astype(np.float32))
    return len(hashes)


def _image_root(workspace: Workspace, manifest: Mapping[str, Any], images: Path | None) -> Path | None:
    if images is not None:
        return workspace.image_root(images)
    if manifest["image_root"] is None:
        return None
    root = Path(manifest["image_root"])
    if not root.is_dir():
        raise UserError(f"the images lay in {root}, which is not here: give the folder they are in")
    return workspace.image_root(root)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    """The archive and its manifest. UserError for what is no backup of a version that is known."""
    file = file.expanduser()
    if not file.is_file():
        raise UserError(f"there is no backup {file}")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{file} is no backup: {error}") from None
    with archive:
        if MANIFEST not in archive.namelist():
            raise UserError(f"{file} is no backup: it has no {MANIFEST}")
        manifest = cast(dict[str, Any], json.loads(archive.read(MANIFEST)))
        if manifest.get("format") != FORMAT:
            raise UserError(
                f"{file} is a backup of another version ({manifest.get('format')!r}, made by ProbAL "
                f"{manifest.get('probal')}; this one reads {FORMAT!r}): update ProbAL"
            )
        yield archive, manifest


def _check(archive: zipfile.ZipFile, manifest: Mapping[str, Any], file: Path) -> None:
    """UserError where a part is missing, is not what was written, or would land elsewhere."""
    parts = set(archive.namelist()) - {MANIFEST}
    if parts != set(manifest["sha256"]):
        raise UserError(f"{file} is damaged: its parts are not those that were written")
    for name, expected in manifest["sha256"].items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"{file} is no backup: {name} leads out of it")
        try:
            with archive.open(name) as stream:
                found = hashlib.file_digest(cast(Any, stream), "sha256").hexdigest()
        except zipfile.BadZipFile as error:
            raise UserError(f"{file} is damaged: {error}") from None
        if found != expected:
            raise UserError(f"{file} is damaged: {name} is not what was written")


def _parts(archive: zipfile.ZipFile, folder: str) -> list[str]:
    return [name.removeprefix(f"{folder}/") for name in archive.namelist() if name.startswith(f"{folder}/")]
