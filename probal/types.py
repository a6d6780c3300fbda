"""What the layers say to each other: the axis glossary and the frozen records. Imports nothing heavy.

Axis glossary, used in every shape comment of the project::

    N  images                       P  activation width before the projection
    C  classes                      K  posterior samples
    D  joint embedding width        R  rank of a shared covariance factor
    B  batch of proposals           n  labeled images
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from probal.kinds import EventKind, ImageState, JobKind, JobState, Role


@dataclass(frozen=True)
class ClassInfo:
    """A class of a project; `id` never changes, everything else may."""

    id: int
    name: str
    prompt: str | None
    """What the encoder reads instead of the project's template; `{}` in it is the name."""
    key: str | None  # keyboard key that labels it
    order: int
    archived: bool = False
    color: str | None = None  # #rrggbb; None for the labeler's own
    merged_into: int | None = (
        None  # class that its labels count for since; always one that is not merged itself
    )
    reopened_row: int | None = None  # its labels up to this event row no longer count


@dataclass(frozen=True)
class ProjectConfig:
    """Settings frozen with the project, as JSON in the store."""

    image_root: str | None
    """Absolute folder of the images; they are read only."""
    encoder: str = "embedded"
    template: str | None = None
    """Prompt template with one `{}`; None means the encoder's own."""
    adapter: str = "bayes"
    strategy: str = "auto"
    batch_size: int = 10
    """Labels after which the adapter is refitted and a new round proposed."""
    audit: float = 0.1
    """Share of the pool (below 1) or number of images reserved for the audit; 0 with a test set."""
    seed: int = 0


@dataclass(frozen=True)
class Project:
    id: int
    name: str
    config: ProjectConfig
    created_at: datetime


@dataclass(frozen=True)
class ScannedImage:
    """What a scan found at one path."""

    path: str
    """Relative to the pool's root, with forward slashes."""
    content_hash: str
    """sha256 of the file's bytes, hex; empty where the file could not be read at all."""
    width: int  # pixels, after EXIF orientation; 0 where unreadable
    height: int
    bytes: int
    mtime_ns: int
    state: ImageState
    reason: str | None = None


@dataclass(frozen=True)
class ImageInfo:
    """An image of a project as the store knows it."""

    id: int
    path: str
    content_hash: str
    width: int
    height: int
    bytes: int
    mtime_ns: int
    state: ImageState
    role: Role
    reason: str | None = None


@dataclass(frozen=True)
class Reason:
    """Why an image was picked; uncertainties in nats, ids as in the store."""

    strategy: str
    phase: str
    """`coverage`, `uncertainty`, `random` …: which rule of the strategy chose."""
    score: float
    total: float
    """Entropy of the posterior predictive."""
    aleatoric: float
    """Expected entropy under the posterior."""
    epistemic: float
    """Their difference: mutual information, BALD."""
    contested: tuple[tuple[int, float], ...] = ()
    """The two likeliest classes as (class id, probability)."""
    cluster: int | None = None
    nearest_labeled: int | None = None
    """Image id of the nearest labeled image, None before the first label."""
    nearest_similarity: float | None = None  # cosine to it
    ambiguity: float | None = None  # ProbVLM's aleatoric variance, mean over D; None where none is trained
    ambiguity_percentile: float | None = None  # its place among the pool's images, 0 to 100
    target: str | None = None  # folder or project whose predictions the label is to help


@dataclass(frozen=True)
class Proposal:
    """One image of a round's batch, in rank order."""

    id: int
    round_id: int
    image_id: int
    rank: int
    predicted: tuple[tuple[int, float], ...]
    """(class id, posterior predictive probability), likeliest first."""
    reason: Reason


@dataclass(frozen=True)
class NewProposal:
    """A proposal before the store gives it an id; rank is its position in the list."""

    image_id: int
    predicted: tuple[tuple[int, float], ...]
    reason: Reason


@dataclass(frozen=True)
class Round:
    """Enough to replay a batch."""

    id: int
    index: int  # 0 is the round proposed before any label
    strategy: str
    seed: int
    config: Mapping[str, Any]
    encoder_fingerprint: str
    adapter_fingerprint: str
    event_watermark: int
    """Largest event row that the fit had seen."""
    candidate_hash: str
    """sha256 over the sorted content hashes of the candidates."""
    pending_ids: tuple[int, ...]
    """Image ids out for labeling when the batch was chosen."""
    n_labels: int
    """Labels spent so far, audit included."""
    n_train: int
    """Labels that the adapter was fitted on."""
    threads: int
    versions: Mapping[str, str]
    timings: Mapping[str, float]
    """Seconds per step."""
    created_at: datetime


@dataclass(frozen=True)
class Event:
    """One annotation event as a client sends it; `event_id` is the client's and unique."""

    event_id: str
    kind: EventKind
    annotator: str
    seq: int = 0
    image_id: int | None = None
    class_id: int | None = None
    lease: str | None = None
    target_event_id: str | None = None
    flag_reason: str | None = None
    note: str | None = None
    duration_ms: int | None = None


@dataclass(frozen=True)
class StoredEvent:
    """An event with the row number and time that the store gave it; `active` is False once undone."""

    row: int
    event: Event
    created_at: datetime
    active: bool


@dataclass(frozen=True)
class RecordResult:
    """Answer to a batch of events: every event is in exactly one of the two."""

    accepted: tuple[str, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()
    """(event id, reason a person can read)."""


@dataclass(frozen=True)
class CurrentLabel:
    """The label an image has now: its last active label, confirm or adjudicate event."""

    image_id: int
    class_id: int
    annotator: str
    event_row: int
    duration_ms: int | None = None


@dataclass(frozen=True)
class LeaseItem:
    """An image handed to one annotator; audit images carry neither `predicted` nor `why`."""

    image_id: int
    content_hash: str
    lease: str
    proposal_id: int | None = None
    predicted: tuple[tuple[int, float], ...] | None = None
    why: Reason | None = None


@dataclass(frozen=True)
class Job:
    id: int
    project_id: int
    kind: JobKind
    state: JobState
    done: int
    total: int
    message: str
    error: str | None
    created_at: datetime
    heartbeat: datetime | None


@dataclass(frozen=True)
class Metric:
    """A measured value with its interval; `labels` places it on the curve."""

    name: str
    value: float
    low: float | None
    high: float | None
    n: int  # images it was measured on
    labels: int  # labels spent when it was measured, audit included
    round_index: int
    preliminary: bool = False
    """Fewer than 30 images: draw it as not yet trustworthy."""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SyncReport:
    """What bringing the store in line with a scan changed; every number counts images."""

    added: int = 0
    changed: int = 0
    """Other content at a known path: a new image, the old one is kept as missing."""
    missing: int = 0
    """Was there at the last scan and is gone now."""
    duplicates: int = 0
    """Duplicates in the folder now, old and new."""
    corrupt: int = 0
    """Unreadable files in the folder now, old and new."""
    renamed: int = 0
    """Known content at another path: same image, same labels."""
    returned: int = 0
    """Was missing and is back."""


@dataclass(frozen=True)
class ExportRecord:
    """An export that was written; `path` is the absolute folder."""

    id: int
    path: str
    formats: tuple[str, ...]
    n: int
    """Labels written."""
    created_at: datetime
