"""A project into one file."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from probal import __version__
from probal.backup.layout import FEATURES, FILES, FORMAT, HASHES, MANIFEST, ROWS, VECTORS, VECTORS_AT_ONCE
from probal.errors import UserError
from probal.pool.features import FeatureStore
from probal.store import Store
from probal.types import ImageState, Project
from probal.workspace import Workspace


@dataclass(frozen=True)
class BackupReport:
    images: int
    labels: int
    vectors: int
    """Images whose vectors are in it; 0 where they were left out."""
    bytes: int


def backup(workspace: Workspace, project: Project, to: Path, vectors: bool = True) -> BackupReport:
    """Write the project to the file `to`, whole or not at all.

    Raises UserError where something is there already, and where it cannot be written.
    """
    to = to.expanduser().absolute()
    if to.exists():
        raise UserError(f"{to} is there already, and nothing is overwritten: give a new name")
    partial = to.with_name(f".{to.name}.partial")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="probal-backup-") as scratch,
            Store.open(Path(scratch) / ROWS) as rows,
        ):
            workspace.store.copy_project(rows, project.name)
            report = _pack(workspace, rows, project, Path(scratch) / ROWS, partial, vectors)
        partial.replace(to)
    except OSError as error:
        raise UserError(f"the backup cannot be written to {to}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return report


def _pack(
    workspace: Workspace, rows: Store, project: Project, database: Path, partial: Path, vectors: bool
) -> BackupReport:
    copied = rows.project(project.name)
    facts = workspace.store.get_setting(project.id, "encoder")
    images = rows.images(copied.id, state=ImageState.OK)
    labels = len(rows.current_labels(copied.id))
    rows.close()  # the last of the write-ahead log goes into the file
    sums: dict[str, str] = {}
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:

        def put(name: str, file: Path) -> None:
            archive.write(file, name)
            with file.open("rb") as stream:
                sums[name] = hashlib.file_digest(stream, "sha256").hexdigest()

        put(ROWS, database)
        own = workspace.snapshots_dir / str(project.id)
        for file in _files(own):
            put(f"{FILES}/{file.relative_to(own).as_posix()}", file)
        stored = 0
        if facts is not None:
            folder = workspace.features_dir / facts["fingerprint"]
            for file in [*sorted(folder.glob("prototypes-*.safetensors")), *folder.glob("own.npz")]:
                put(f"{FEATURES}/{file.name}", file)
            if vectors:
                features = FeatureStore(workspace.features_dir, facts["fingerprint"], facts["width"])
                absent = set(features.missing([image.content_hash for image in images]))
                there = [image.content_hash for image in images if image.content_hash not in absent]
                sums |= _put_vectors(archive, features, there)
                stored = len(there)
        manifest = {
            "format": FORMAT,
            "probal": __version__,
            "created_at": datetime.now(UTC).isoformat(),
            "project": project.name,
            "project_id": project.id,
            "image_root": project.config.image_root,
            "encoder": facts,
            "sha256": sums,
        }
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False))
    return BackupReport(len(images), labels, stored, partial.stat().st_size)


def _put_vectors(archive: zipfile.ZipFile, features: FeatureStore, hashes: list[str]) -> dict[str, str]:
    names = "\n".join(hashes).encode()
    archive.writestr(HASHES, names)
    digest = hashlib.sha256()
    with archive.open(VECTORS, "w", force_zip64=True) as stream:
        for start in range(0, len(hashes), VECTORS_AT_ONCE):
            part = features.read(hashes[start : start + VECTORS_AT_ONCE]).astype("<f2").tobytes()
            digest.update(part)
            stream.write(part)
    return {HASHES: hashlib.sha256(names).hexdigest(), VECTORS: digest.hexdigest()}


def _files(folder: Path) -> list[Path]:
    """What belongs to the project, without what a killed writer left."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []
    return [path for path in found if path.suffix not in {".partial", ".lock", ".tmp"}]
