"""What Explore asks of the engine: vectors of texts, doubtful labels, the images near a distribution's samples."""

from __future__ import annotations

from collections.abc import Callable

from probal.explore import files
from probal.explore.actions import ASKED
from probal.explore.vectors import encoder_fingerprint
from probal.session.distribution_pictures import neighbours
from probal.session.loop import Session
from probal.session.mistakes import check_labels
from probal.types import Role

Report = Callable[[int, int, str], None]


def answer(session: Session, report: Report) -> None:
    """Find out everything that was asked and is not known yet. UserError for the first thing that cannot be."""
    asked = session.store.get_setting(session.project.id, ASKED, {"texts": [], "image_ids": []})
    report(0, 1, "Looking it up")
    fingerprint = encoder_fingerprint(session.workspace, session.project)
    for text in asked["texts"]:
        path = files.text_path(session.workspace, session.project, fingerprint, text)
        if not path.exists():
            files.write_arrays(path, vector=session.text_vectors([text])[0])
    for image_id in asked["image_ids"]:
        _cloud(session, image_id)
    report(1, 1, "Looking it up")


def _cloud(session: Session, image_id: int) -> None:
    """Write down the pool images nearest to samples of an image's distribution. UserError where none is trained."""
    image = session.store.image(session.project.id, image_id)
    path = files.cloud_path(session.workspace, session.project, image.content_hash)
    if not path.exists():
        _, found = neighbours(session.workspace, session.project, image.content_hash)
        files.write_json(path, {"neighbours": [[each.image.id, each.share] for each in found]})


def keep_check(session: Session) -> None:
    """Check the project's labels and write down the doubtful ones of the pool, the most doubtful first.

    Audit labels are not among them: changed where the model doubts them, they would measure it too kindly.
    """
    watermark = session.store.watermark(session.project.id)
    suspects = [
        {
            "image_id": each.image.id,
            "class_id": each.class_id,
            "suggested": each.suggested,
            "p": each.probability,
        }
        for each in check_labels(session)
        if each.image.role is Role.POOL
    ]
    path = files.folder(session.workspace, session.project) / files.CHECK
    files.write_json(path, {"watermark": watermark, "suspects": suspects})
