"""Every table of the product. What the rows mean stands in `probal.types`; here stand keys and indexes.

Two things hold throughout. Annotations are append-only: an undo is a row that targets another row. What can
be derived is derived by a query, with one exception: `proposal.open`, kept by the transaction that records
the events, because the queue is read on the keypress path (see `probal.store.labels.open_proposals`).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from probal.store.base import UtcDateTime, metadata

project = Table(
    "project",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("config", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

setting = Table(
    "setting",
    metadata,
    Column("project_id", ForeignKey("project.id"), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("value", JSON, nullable=False),
)

class_ = Table(
    "class",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("prompt", Text),
    Column("key", String(1)),
    Column("position", Integer, nullable=False),
    Column("archived", Boolean, nullable=False),
    UniqueConstraint("project_id", "name"),
    Column("color", String(7)),
    # labels of this class are read as labels of that one; always a class that is not merged itself. No foreign key:
    # a copy of the project writes its rows in the order of their ids
    Column("merged_into", Integer),
    # labels of this class up to this event row do not count: their images are to be labeled anew
    Column("reopened_row", Integer),
)

# every change of the classes, with the rows before and after it, so that the last one can be taken back
class_change = Table(
    "class_change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("undone", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "project_id", "id"),
)

image = Table(
    "image",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("path", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("role", String(16), nullable=False),
    Column("reason", Text),
    # for the queue of audit images and for counts by role and state
    Index(None, "project_id", "role", "state", "content_hash"),
    # for media, which knows the hash only
    Index(None, "content_hash"),
)
# a missing image keeps the path it had, at which another image may lie now
Index(
    "uq_image_project_id_path",
    image.c.project_id,
    image.c.path,
    unique=True,
    sqlite_where=text("state != 'missing'"),
    postgresql_where=text("state != 'missing'"),
)

round_ = Table(
    "round",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("strategy", String(64), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("config", JSON, nullable=False),
    Column("encoder_fingerprint", Text, nullable=False),
    Column("adapter_fingerprint", Text, nullable=False),
    Column("event_watermark", Integer, nullable=False),
    Column("candidate_hash", String(64), nullable=False),
    Column("pending_ids", JSON, nullable=False),
    Column("n_labels", Integer, nullable=False),
    Column("n_train", Integer, nullable=False),
    Column("threads", Integer, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("timings", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("project_id", "number"),
)

proposal = Table(
    "proposal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("round_id", ForeignKey("round.id"), nullable=False),
    Column("image_id", ForeignKey("image.id"), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("predicted", JSON, nullable=False),
    Column("reason", JSON, nullable=False),
    # its image has no answer yet; derived, see the head of this file
    Column("open", Boolean, nullable=False),
    UniqueConstraint("round_id", "rank"),
    # the queue: open ones, newest round first, in rank order
    Index(None, "project_id", "open", "round_id", "rank"),
    Index(None, "image_id"),
)

annotator = Table(
    "annotator",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("project_id", "name"),
)

annotation = Table(
    "annotation",
    metadata,
    # the order of the log
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("image_id", ForeignKey("image.id"), nullable=False),
    Column("class_id", ForeignKey("class.id")),
    Column("lease", String(32)),
    Column("target_id", ForeignKey("annotation.id")),
    Column("flag_reason", Text),
    Column("note", Text),
    Column("duration_ms", BigInteger),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("project_id", "event_id"),
    # the watermark, the log from a row on
    Index(None, "project_id", "id"),
    # all labels, all skips; the image's id lets the index answer alone
    Index(None, "project_id", "kind", "id", "image_id"),
    # an image's own history
    Index(None, "image_id", "kind", "id"),
    # is this event undone, is this undo redone
    Index(None, "target_id"),
)

# one row per image that was ever handed out: who has it, or had it last
lease = Table(
    "lease",
    metadata,
    Column("image_id", ForeignKey("image.id"), primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("token", String(32), nullable=False, unique=True),
    Column("annotator_id", ForeignKey("annotator.id"), nullable=False),
    Column("client", String(100), nullable=False),
    # none for an audit image, which goes out blind
    Column("proposal_id", ForeignKey("proposal.id")),
    # last event row when it was handed out: a skip after it is an answer to it
    Column("issued_row", Integer, nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    # place among those handed out by the same call
    Column("place", Integer, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index(None, "project_id", "annotator_id", "client", "expires_at"),
    Index(None, "project_id", "proposal_id"),
    # the image has answers already: handed out for a second opinion, or to the same person once more
    Column("again", Boolean, nullable=False, server_default=false()),
)

job = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("message", Text, nullable=False),
    Column("error", Text),
    Column("worker", String(100)),
    # times a worker took it; a job that keeps killing its worker is given up
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("heartbeat", UtcDateTime),
    Index(None, "state", "project_id"),
    Index(None, "project_id", "id"),
)
Index(
    "uq_job_queued",
    job.c.project_id,
    job.c.kind,
    unique=True,
    sqlite_where=text("state = 'queued'"),
    postgresql_where=text("state = 'queued'"),
)

metric = Table(
    "metric",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("round_index", Integer, nullable=False),
    Column("labels", Integer, nullable=False),
    Column("value", Float, nullable=False),
    Column("low", Float),
    Column("high", Float),
    Column("n", Integer, nullable=False),
    Column("preliminary", Boolean, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # measuring again at the same point of the curve replaces the point
    UniqueConstraint("project_id", "name", "round_index", "labels"),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("round_id", ForeignKey("round.id"), nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "project_id", "id"),
)

export = Table(
    "export",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("project.id"), nullable=False),
    Column("path", Text, nullable=False),
    Column("formats", JSON, nullable=False),
    Column("n", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "project_id", "id"),
)
