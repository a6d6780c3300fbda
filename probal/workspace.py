"""A workspace: the folder that holds all that ProbAL writes. Images stay where they are."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from filelock import FileLock
from platformdirs import user_data_dir

from probal import validate
from probal.encoders import check_encoder_id, resolve_encoder_id
from probal.encoders.vectors import PREFIX, VectorTable
from probal.errors import UserError
from probal.pool.decode import IMAGE_SUFFIXES, UnreadableImage, open_image
from probal.pool.vector_file import read_vector_file
from probal.pool.vector_scan import with_paths
from probal.store import Store
from probal.types import JobKind, Project, ProjectConfig

TEST_LABELS = "test_labels"
"""Setting that holds a labeled test split until the images are scanned: {path relative to the root: class name}."""

DATABASE = "probal.sqlite"
TOKEN = "token"


class Workspace:
    """An open workspace; the folder and what belongs in it are made when they are not there.

    Args:
        path: the folder; None for `default_path()`.

    Raises:
        UserError: it cannot be written, or holds something else's database.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = (path if path is not None else self.default_path()).expanduser().absolute()
        self.features_dir = self.path / "features"
        self.thumbnails_dir = self.path / "thumbnails"
        self.snapshots_dir = self.path / "snapshots"
        self.exports_dir = self.path / "exports"
        try:
            for folder in (self.features_dir, self.thumbnails_dir, self.snapshots_dir, self.exports_dir):
                folder.mkdir(parents=True, exist_ok=True)
            self.token = os.environ.get("PROBAL_TOKEN") or _token(self.path / TOKEN)
        except OSError as error:
            raise UserError(
                f"the workspace {self.path} cannot be written ({error.strerror}): "
                "choose another folder with --workspace or PROBAL_WORKSPACE"
            ) from error
        self.store = Store.open(self.path / DATABASE)

    @staticmethod
    def default_path() -> Path:
        """`PROBAL_WORKSPACE`, else the user data directory."""
        named = os.environ.get("PROBAL_WORKSPACE")
        return Path(named) if named else Path(user_data_dir("probal", appauthor=False))

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def create_project(
        self,
        name: str,
        *,
        images: Path | None = None,
        vectors: Path | None = None,
        classes: Sequence[str] | None = None,
        prompts: Sequence[str | None] | None = None,
        encoder: str = "embedded",
        template: str | None = None,
        audit: float = 0.1,
        batch_size: int = 10,
        strategy: str = "auto",
        adapter: str = "bayes",
        test_labels: Mapping[str, str] | None = None,
    ) -> Project:
        """Check everything, then write the project and queue its preparation, all or nothing.

        Args:
            images: folder of the images; read only. Not needed beside `vectors`, whose names are then paths in it.
            vectors: an .npz or Parquet file of vectors in an encoder's place (see `probal.pool.vector_file`); it is
                copied, so the project does not need it again. `encoder`, `prompts` and `template` are not used.
            classes: None for the class names in the file of vectors.
            prompts: text per class that the encoder reads instead of the template filled with the name.
            template: prompt with one `{}`; None for the encoder's own.
            audit: share of the pool (below 1) or number of images that measure the accuracy; of no effect
                with a test set, which measures it instead.
            test_labels: class names of a labeled test split by path, relative to `images`.

        Raises:
            UserError: what does not fit, in one line; nothing is written.
        """
        name = validate.project_name(name)
        if vectors is None and images is None:
            raise UserError(
                "give the folder of the images (--images), a file of vectors (--vectors), or both"
            )
        root = None if images is None else self.image_root(images)
        table = None if vectors is None else _own_vectors(vectors, root)
        names = validate.class_names(_class_names(classes, table))
        if table is None:
            check_encoder_id(encoder)
            encoder = resolve_encoder_id(encoder).id  # once: vectors of two encoders do not mix
            texts = validate.prompts(prompts, len(names))
        else:
            table = _with_rows_of(table, names)
            encoder = PREFIX + table.fingerprint
            texts = [*names]  # a class that is renamed later keeps its row
        test = dict(test_labels) if test_labels else {}
        _check_test_labels(test, names, root, table)
        config = ProjectConfig(
            image_root=None if root is None else str(root),
            encoder=encoder,
            template=validate.template(template) if table is None else None,
            adapter=validate.adapter(adapter),
            strategy=validate.untrained_strategy(strategy, "a new project"),
            batch_size=validate.batch_size(batch_size),
            audit=0.0 if test else validate.audit(audit),
        )
        if table is not None:
            table.save(
                self.features_dir / table.fingerprint
            )  # named by its content: harmless if a step below fails
        return self.store.create_project(
            name,
            config,
            list(zip(names, texts, strict=True)),
            keys=validate.assign_keys(names),
            settings={TEST_LABELS: test} if test else None,
            job=JobKind.PREPARE,
        )

    def own_vectors(self, project: Project) -> VectorTable | None:
        """The vectors that the user brought; None for a project with an encoder."""
        if not project.config.encoder.startswith(PREFIX):
            return None
        return VectorTable.load(self.features_dir / project.config.encoder.removeprefix(PREFIX))

    def image_root(self, images: Path) -> Path:
        """The folder of a pool, resolved. UserError where it is none, holds no image, or overlaps the workspace."""
        root = images.expanduser().resolve()
        if not root.exists():
            raise UserError(f"no such folder: {images}")
        if not root.is_dir():
            raise UserError(f"not a folder: {images}; give the folder that holds the images")
        here = self.path.resolve()
        if here.is_relative_to(root):
            raise UserError(
                f"the workspace {here} lies inside the image folder {root}, so its thumbnails would be taken "
                "for images: choose a subfolder, or another workspace with --workspace"
            )
        own = (self.features_dir, self.thumbnails_dir, self.snapshots_dir, self.exports_dir)
        if root == here or any(root.is_relative_to(folder.resolve()) for folder in own):
            raise UserError(f"{root} is part of the workspace: give the folder that holds the images")
        _check_readable(root)
        return root


def _check_readable(root: Path) -> None:
    """Look for one image that can be read; the scan finds out about the rest."""
    n = 0
    for file in image_files(root):
        n += 1
        try:
            open_image(file)
            return
        except UnreadableImage as error:
            last = f"{file.relative_to(root)}: {error}"
    if n == 0:
        raise UserError(
            f"no image file in {root}; expected files such as .jpg, .png or .webp, also in subfolders"
        )
    raise UserError(f"none of the {n} image files in {root} can be read; the last, {last}")


def image_files(root: Path) -> Iterator[Path]:
    """Files under a folder that are images by their name, hidden ones aside; follows links, each folder once."""
    seen: set[str] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        subfolders[:] = [name for name in subfolders if not name.startswith(".")] if real not in seen else []
        if real in seen:  # a link that leads back
            continue
        seen.add(real)
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:
                yield Path(folder, name)


def _own_vectors(file: Path, root: Path | None) -> VectorTable:
    table = read_vector_file(file)
    return table if root is None else with_paths(table, root)


def _class_names(given: Sequence[str] | None, table: VectorTable | None) -> Sequence[str]:
    if given is not None:
        return given
    if table is None or not table.class_names:
        where = "" if table is None else ", or as an array `classnames` in the file of vectors"
        raise UserError(f"no class names: give them with --classes a,b,c{where}")
    return table.class_names


def _with_rows_of(table: VectorTable, names: Sequence[str]) -> VectorTable:
    """The table with one class row for each of the names, in their order."""
    if table.text_x is None:
        return replace(table, class_names=tuple(names))
    if not table.class_names:
        if len(names) != len(table.text_x):
            raise UserError(
                f"text_x has {len(table.text_x)} rows for {len(names)} classes: give as many class names, in the "
                "order of the rows, or an array `classnames` in the file"
            )
        return replace(table, class_names=tuple(names))
    row = {validate.clean(name): i for i, name in enumerate(table.class_names)}
    unknown = [name for name in names if name not in row]
    if unknown:
        raise UserError(
            f"the class {unknown[0]!r} has no row in text_x ({len(unknown)} such); "
            f"the file's classnames are {', '.join(table.class_names[:10])}"
        )
    return replace(table, class_names=tuple(names), text_x=table.text_x[[row[name] for name in names]])


def _check_test_labels(
    labels: Mapping[str, str], names: Sequence[str], root: Path | None, table: VectorTable | None
) -> None:
    unknown = sorted(set(labels.values()) - set(names))
    if unknown:
        raise UserError(
            f"the test labels name the class {unknown[0]!r}, which is not among the classes "
            f"({len(unknown)} such): use the class names as given"
        )
    known = None if table is None else set(table.names)
    for path in labels:
        if known is not None:
            if path not in known:
                raise UserError(f"the test labels name {path!r}, which has no vector")
            continue
        assert root is not None
        inside = not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts
        if not inside or not (root / path).is_file():
            raise UserError(f"the test labels name the image {path!r}, which is not in {root}")


def _token(path: Path) -> str:
    """The workspace's secret: made once, readable by its owner only, never seen half written."""
    with FileLock(path.with_name(path.name + ".lock")):
        if not path.exists():
            draft = path.with_name(path.name + ".new")
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(32))
            os.replace(draft, path)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        return path.read_text().strip()
