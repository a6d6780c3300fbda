"""The words of a fixed meaning that the store keeps: states, roles and kinds."""

from __future__ import annotations

from enum import StrEnum


class ImageState(StrEnum):
    """Whether an image can be used."""

    OK = "ok"
    CORRUPT = "corrupt"
    """Pillow could not read it; the reason stands in the record."""
    DUPLICATE = "duplicate"
    """Same bytes as an image that is in the pool already."""
    MISSING = "missing"
    """Was in the folder at an earlier scan and is not now; its labels are kept."""


class Role(StrEnum):
    """What an image is for."""

    POOL = "pool"
    AUDIT = "audit"
    """Drawn uniformly at project start; labeled blind, never trained on, measures the accuracy."""
    TEST = "test"
    """Brought by the user with its labels; never shown, never trained on."""


class EventKind(StrEnum):
    """Kinds of annotation events; the log is append-only."""

    LABEL = "label"
    SKIP = "skip"
    """Later: the image comes back at the end of the queue."""
    FLAG = "flag"
    """Taken out of the queue with a reason (ambiguous, unusable, none of these)."""
    UNDO = "undo"
    """Voids the event `target_event_id`."""
    REDO = "redo"
    """Voids the undo `target_event_id`."""
    CONFIRM = "confirm"
    """Accepts a prediction; a label in every other respect."""
    ADJUDICATE = "adjudicate"
    """Settles a disagreement; outranks labels."""


class JobKind(StrEnum):
    """What the worker can be asked for."""

    PREPARE = "prepare"
    """Scan the folder, embed what is new, reserve the audit set, propose the first round."""
    REFIT = "refit"
    """Fit the adapter on the labels so far, evaluate, propose the next round."""
    MODEL = "model"
    """Write the latest model and its predictions as files among the exports."""
    MAP = "map"
    """Group near-duplicates and place the pool's images on the map."""
    CHECK = "check"
    """Look for labels that are likely wrong."""
    ANSWER = "answer"
    """Read the texts that were searched for, and compare an image's embedding distribution with the pool."""
    FINISH = "finish"
    """Ask the model about every image, as a finish is planned from."""
    PROBVLM = "probvlm"
    """Train ProbVLM on the labels so far."""
    POSTERIOR = "posterior"
    """Estimate a posterior of the encoder's last layers, or read a published one."""


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
