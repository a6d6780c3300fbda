"""What the API takes and gives, with its limits; the words are those of the design's section on formats."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from probal.types import Event, EventKind

MAX_LEASE = 64
MAX_GRID = 200
MAX_EVENTS = 1000
ROW_MAX = 2**63 - 1

RowId = Annotated[int, Field(ge=1, le=ROW_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
EventId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
"""A UUID as clients make them; kept as sent, since it is compared as text."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LeaseRequest(_Body):
    annotator: Name
    n: int = Field(default=16, ge=1, le=MAX_LEASE)
    client: Annotated[str, Field(min_length=1, max_length=64)] = "api"
    """The window that asks; two windows of one person are handed different images."""
    keep: Annotated[list[RowId], Field(max_length=MAX_EVENTS)] | None = None
    """Where given: the images on screen; the window's other ones are swapped for the best there are now."""


class QueueState(StrEnum):
    """Why there are images, or none."""

    READY = "ready"
    PREPARING = "preparing"
    REFITTING = "refitting"
    EXHAUSTED = "exhausted"
    FAILED = "failed"


class Nearest(BaseModel):
    """The labeled image most like this one."""

    image_id: int
    thumb: str
    class_id: int | None
    similarity: float
    """Cosine of the two image vectors."""


class Why(BaseModel):
    """Why an image was picked; uncertainties in nats."""

    strategy: str
    phase: str
    score: float
    total: float
    aleatoric: float
    epistemic: float
    contested: list[tuple[int, float]]
    cluster: int | None
    nearest: Nearest | None
    ambiguity: float | None
    """ProbVLM's aleatoric variance of the image, mean over the embedding; null where none is trained."""
    ambiguity_percentile: float | None
    """Where that lies among the images of the pool, 0 to 100: high is ambiguous in itself."""


class Item(BaseModel):
    """One image to label; an audit image has neither `predicted`, `why` nor `was`, nor these keys."""

    image_id: int
    proposal_id: int | None
    lease: str
    media: str
    """Signed address of the image at 1280 pixels."""
    predicted: list[tuple[int, float]] | None = None
    """(class id, probability), likeliest first."""
    why: Why | None = None
    was: str | None = None
    """Class it was labeled before that class asked for its images again; only beside a prediction."""


class Progress(BaseModel):
    """Where the labeling stands after this call."""

    labels: int
    """Labeled images, audit included."""
    round: int
    """Index of the latest round."""
    batch_done: int
    """Labels since that round was proposed."""
    batch_size: int
    """Labels after which the model is fitted again."""


class LeaseResponse(BaseModel):
    items: list[Item]
    state: QueueState
    message: str
    """One sentence for the person who waits."""
    progress: Progress


class EventIn(_Body):
    """One event; unknown fields are refused, so that a misspelt one is not lost."""

    event_id: EventId
    seq: int = Field(default=0, ge=0, le=ROW_MAX)
    kind: EventKind
    annotator: Name
    image_id: RowId | None = None
    lease: Annotated[str, Field(max_length=200)] | None = None
    class_id: RowId | None = None
    target_event_id: EventId | None = None
    flag_reason: Annotated[str, Field(max_length=200)] | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None
    duration_ms: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None

    def event(self) -> Event:
        return Event(**self.model_dump())


class EventsRequest(_Body):
    events: list[EventIn] = Field(max_length=MAX_EVENTS)


class Rejection(BaseModel):
    event_id: str
    reason: str


class EventsResponse(BaseModel):
    """Every event is in one of the two lists; the answer comes after the commit."""

    accepted: list[str]
    rejected: list[Rejection]
    progress: Progress


class Annotation(BaseModel):
    """A row of the log."""

    row: int
    event_id: str
    kind: EventKind
    annotator: str
    seq: int
    image_id: int | None
    path: str | None
    class_id: int | None
    class_name: str | None
    target_event_id: str | None
    flag_reason: str | None
    note: str | None
    duration_ms: int | None
    created_at: datetime
    active: bool
    """False once undone."""


class Annotations(BaseModel):
    annotations: list[Annotation]
    next: int | None
    """Row to pass as `after` for what follows; None at the end."""


class RoundOut(BaseModel):
    index: int
    strategy: str
    seed: int
    n_labels: int
    n_train: int
    n_proposals: int
    event_watermark: int
    candidate_hash: str
    encoder_fingerprint: str
    adapter_fingerprint: str
    config: dict[str, Any]
    timings: dict[str, float]
    created_at: datetime


class CurvePoint(BaseModel):
    name: str
    labels: int
    value: float
    low: float | None
    high: float | None
    n: int
    round: int
    preliminary: bool
    detail: dict[str, Any]


class GridRequest(_Body):
    annotator: Name
    client: Annotated[str, Field(min_length=1, max_length=64)] = "api"
    class_id: RowId | None = None
    """None for the class of which most is sure."""
    n: int = Field(default=100, ge=1, le=MAX_GRID)
    keep: Annotated[list[RowId], Field(max_length=MAX_EVENTS)] = []
    """Images whose answers are on their way."""


class GridClass(BaseModel):
    class_id: int
    waiting: int
    """Images without an answer that the model takes for this class."""


class GridItem(BaseModel):
    image_id: int
    lease: str
    media: str
    """Signed address of the image at 320 pixels."""
    predicted: list[tuple[int, float]]
    """(class id, probability) of the likeliest classes."""


class GridResponse(BaseModel):
    class_id: int | None
    classes: list[GridClass]
    items: list[GridItem]
    message: str
    """One sentence for the person who waits, where there is no item."""
