"""The images of a project: what lies where, in which state, for which purpose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select, update

from probal.errors import UserError
from probal.store.repository import AnyRow, Repository, chunks
from probal.store.schema import image, project
from probal.store.sync import plan_sync
from probal.types import ImageInfo, ImageState, Role, ScannedImage, SyncReport


class Images(Repository):
    def sync_images(self, project_id: int, scanned: Sequence[ScannedImage]) -> SyncReport:
        """Bring the store in line with a scan of the whole folder; see `probal.store.sync` for who is who.

        Written in steps, so that labeling goes on meanwhile; one broken off is made good by the next call.
        """
        plan = plan_sync(self.images(project_id), scanned)
        for ids in chunks(plan.vacate):
            with self._db.write() as connection:
                connection.execute(update(image).where(image.c.id.in_(ids)).values(state=ImageState.MISSING))
        by_id = update(image).where(image.c.id == bindparam("image_id"))
        for pairs in chunks(plan.update):
            with self._db.write() as connection:
                connection.execute(
                    by_id, [{"image_id": image_id, **_scanned_values(item)} for image_id, item in pairs]
                )
        for items in chunks(plan.insert):
            with self._db.write() as connection:
                connection.execute(
                    insert(image),
                    [
                        {"project_id": project_id, "role": Role.POOL, **_scanned_values(item)}
                        for item in items
                    ],
                )
        return plan.report

    def scanned(self, project_id: int) -> dict[str, ScannedImage]:
        """The last scan as stored, by path; what `scan_folder` takes as known."""
        query = select(image).where(image.c.project_id == project_id, image.c.state != ImageState.MISSING)
        with self._db.read() as connection:
            return {
                row.path: ScannedImage(
                    row.path,
                    row.content_hash,
                    row.width,
                    row.height,
                    row.bytes,
                    row.mtime_ns,
                    ImageState(row.state),
                    row.reason,
                )
                for row in connection.execute(query)
            }

    def images(
        self, project_id: int, state: ImageState | None = None, role: Role | None = None
    ) -> list[ImageInfo]:
        """The images in this state and role, by id; all of them if neither is given."""
        query = select(image).where(image.c.project_id == project_id).order_by(image.c.id)
        if state is not None:
            query = query.where(image.c.state == state)
        if role is not None:
            query = query.where(image.c.role == role)
        return self._images(query)

    def image(self, project_id: int, image_id: int) -> ImageInfo:
        """One image.

        Raises:
            UserError: the project has no such image.
        """
        found = self._images(select(image).where(image.c.project_id == project_id, image.c.id == image_id))
        if not found:
            raise UserError(f"no image {image_id} in this project")
        return found[0]

    def image_by_hash(self, content_hash: str) -> tuple[Path | None, ImageInfo] | None:
        """An image of this content, and the folder that has it; None for the folder of an item that is a vector
        without a picture, and None for a content that no project has."""
        query = (
            select(image, project.c.config)
            .join(project, project.c.id == image.c.project_id)
            .where(image.c.content_hash == content_hash, image.c.state != ImageState.MISSING)
            .order_by((image.c.state == ImageState.OK).desc(), image.c.id)
        )
        with self._db.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        root = row.config["image_root"]
        return None if root is None else Path(root), _image(row)

    def image_counts(self, project_id: int) -> dict[tuple[Role, ImageState], int]:
        """Images by role and state; what does not occur is absent."""
        query = (
            select(image.c.role, image.c.state, func.count())
            .where(image.c.project_id == project_id)
            .group_by(image.c.role, image.c.state)
        )
        with self._db.read() as connection:
            return {(Role(role), ImageState(state)): n for role, state, n in connection.execute(query)}

    def set_role(self, project_id: int, image_ids: Iterable[int], role: Role) -> None:
        """Give images a role, all or nothing."""
        with self._db.write() as connection:
            for ids in chunks(image_ids):
                connection.execute(
                    update(image)
                    .where(image.c.project_id == project_id, image.c.id.in_(ids))
                    .values(role=role)
                )

    def mark_unreadable(self, project_id: int, content_hash: str, reason: str) -> None:
        """Mark the images of this content as corrupt: they passed the scan and failed later."""
        with self._db.write() as connection:
            connection.execute(
                update(image)
                .where(
                    image.c.project_id == project_id,
                    image.c.content_hash == content_hash,
                    image.c.state != ImageState.MISSING,
                )
                .values(state=ImageState.CORRUPT, reason=reason)
            )

    def _images(self, query: Select[*tuple[Any, ...]]) -> list[ImageInfo]:
        with self._db.read() as connection:
            return [_image(row) for row in connection.execute(query)]


def _scanned_values(item: ScannedImage) -> dict[str, Any]:
    return {
        "path": item.path,
        "content_hash": item.content_hash,
        "width": item.width,
        "height": item.height,
        "bytes": item.bytes,
        "mtime_ns": item.mtime_ns,
        "state": item.state,
        "reason": item.reason,
    }


def _image(row: AnyRow) -> ImageInfo:
    return ImageInfo(
        row.id,
        row.path,
        row.content_hash,
        row.width,
        row.height,
        row.bytes,
        row.mtime_ns,
        ImageState(row.state),
        Role(row.role),
        row.reason,
    )
