"""The loop of one project: prepare, propose, record, refit, evaluate, export; where all the rooms meet.

Each step reads what it needs from the store and writes what it did: two sessions on one project agree, and a
session may be dropped at any time. Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from probal import labeling, support_set
from probal.acquisition import AcquisitionState, propose, uncertainty
from probal.adapters import AdapterPosterior, fingerprint, load_adapter
from probal.export import ExportReport
from probal.random import derive_seed
from probal.session.advice import advise
from probal.session.measure import HeldOut, measure
from probal.session.prepare import prepare
from probal.session.proposals import describe
from probal.session.snapshot import write_snapshot
from probal.session.vectors import ProjectVectors
from probal.types import (
    ClassInfo,
    Event,
    ImageInfo,
    Metric,
    Proposal,
    RecordResult,
    Role,
    Round,
)
from probal.workspace import Workspace

RESERVE = 2
"""Batches proposed per round: the second keeps hands busy while the next round is computed."""
_LIBRARIES = ("probal", "torch", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Predictions:
    """What the latest model says about every readable image that is not a test image."""

    images: tuple[ImageInfo, ...]
    class_names: tuple[str, ...]
    probabilities: np.ndarray  # [N,C] posterior predictive
    total: np.ndarray  # [N] entropy, nats
    aleatoric: np.ndarray  # [N]
    epistemic: np.ndarray  # [N]


@dataclass(frozen=True)
class _Fit:
    """The posterior after the events up to `watermark`."""

    posterior: AdapterPosterior
    fingerprint: str
    watermark: int
    n_train: int
    n_labels: int
    seconds: float


class Session:
    """One project of a workspace. UserError where the workspace or the project does not exist."""

    def __init__(self, workspace: Workspace | Path | str, project: str) -> None:
        self.workspace = workspace if isinstance(workspace, Workspace) else Workspace(Path(workspace))
        self.store = self.workspace.store
        self.project = self.store.project(project)
        self._vectors = ProjectVectors(self.workspace, self.project)
        self._fitted: _Fit | None = None

    @property
    def classes(self) -> list[ClassInfo]:
        """Classes in use, in the order of the C axis."""
        return self._vectors.classes

    # -- the steps ---------------------------------------------------------------------------------------

    def prepare(
        self,
        progress: Callable[[int, int, str], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        """Scan the folder, embed what is new, reserve the audit set, and propose the first round.

        Runs again after images were added; nothing is embedded twice. `progress` gets (done, total, what).
        """
        prepare(self.workspace, self.project, self._vectors.encoder, progress, stop)
        self._fitted = None
        if self.store.latest_round(self.project.id) is None and self._vectors.images(Role.POOL):
            self.propose()
            self.evaluate()

    def record(self, events: Sequence[Event]) -> RecordResult:
        """Store events of a trusted caller (no lease needed) and ask for a refit when one is due."""
        return labeling.record(self.store, self.project, events, require_lease=False)

    def refit(self) -> AdapterPosterior:
        """Fit the adapter on the labels so far; the posterior is kept until the labels change."""
        return self._fit().posterior

    def propose(self, n: int | None = None, strategy: str | None = None) -> list[Proposal]:
        """Choose `n` images (two batches when None) and write them down as the next round, best first."""
        config = self.project.config
        fit = self._fit()
        started = time.perf_counter()
        images, x = self._vectors.pool()
        latest = self.store.latest_round(self.project.id)
        index = 0 if latest is None else latest.index + 1
        seed = derive_seed(config.seed, "round", index)
        state, pending = self._state(fit, images, x)
        _ = state.uncertainty
        scored = time.perf_counter()
        wanted = config.batch_size * RESERVE if n is None else n
        picks = propose(strategy or config.strategy, state, wanted, torch.Generator().manual_seed(seed))
        proposals = describe(
            picks, images, self.classes, state.uncertainty.predictive, strategy or config.strategy
        )
        candidates = sorted(images[i].content_hash for i in state.candidates.tolist())
        written = self.store.add_round(
            self.project.id,
            strategy=strategy or config.strategy,
            seed=seed,
            config={"batch": wanted, "adapter": config.adapter, **fit.posterior.hyperparameters()},
            encoder_fingerprint=self._vectors.space.fingerprint,
            adapter_fingerprint=fit.fingerprint,
            event_watermark=fit.watermark,
            candidate_hash=hashlib.sha256("\n".join(candidates).encode()).hexdigest(),
            pending_ids=pending,
            n_labels=fit.n_labels,
            n_train=fit.n_train,
            threads=torch.get_num_threads(),
            versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
            timings={
                "fit": fit.seconds,
                "score": scored - started,
                "select": time.perf_counter() - scored,
            },
            proposals=proposals,
        )
        self._save_snapshot(written, fit.posterior)
        return self.store.proposals(written.id)

    def evaluate(self) -> list[Metric]:
        """Measure the latest round's model on the audit or test labels and write the metrics down.

        Earlier rounds are measured again on the audit labels that have come since, so the whole curve rests
        on the same images. Empty before the first label of either kind.
        """
        started = time.perf_counter()
        rounds = self.store.rounds(self.project.id)
        held_out = self._held_out()
        if not rounds or held_out is None:
            return []
        metrics = measure(
            rounds,
            self._snapshot_path,
            held_out,
            load_adapter(self.project.config.adapter, self._vectors.space.scale),
            self._vectors.space.prior(),
        )
        self.store.add_metrics(self.project.id, metrics)
        advise(self.workspace, self.project, self.classes, rounds, held_out, self._snapshot_path)
        self.store.update_timings(rounds[-1].id, {"evaluate": time.perf_counter() - started})
        return metrics

    def predict(self, *roles: Role) -> Predictions:
        """Predict every image of these roles (pool and audit if none is given) with the model so far."""
        fit = self._fit()
        images = self._vectors.images(*(roles or (Role.POOL, Role.AUDIT)))
        found = uncertainty(fit.posterior.logits(self._vectors.read(images)))
        names = tuple(each.name for each in self.classes)
        scores = (found.predictive, found.total, found.aleatoric, found.epistemic)
        return Predictions(tuple(images), names, *(each.numpy() for each in scores))

    def export(self, formats: Sequence[str], to: Path) -> ExportReport:
        """Write the labeled images to the folder `to`; see `probal.export`."""
        return support_set.export(self.store, self.project, formats, to)

    # -- what the steps read -----------------------------------------------------------------------------

    def _fit(self) -> _Fit:
        watermark = self.store.watermark(self.project.id)
        if self._fitted is not None and self._fitted.watermark == watermark:
            return self._fitted
        images, x = self._vectors.pool()
        rows, y = self._labels(images)
        space = self._vectors.space
        started = time.perf_counter()
        adapter = load_adapter(self.project.config.adapter, space.scale)
        posterior = adapter.fit(x[rows], y, space.prior())
        seconds = time.perf_counter() - started
        audit = self.store.current_labels(self.project.id, Role.AUDIT)
        self._fitted = _Fit(
            posterior, fingerprint(posterior), watermark, len(rows), len(rows) + len(audit), seconds
        )
        return self._fitted

    def _labels(self, images: Sequence[ImageInfo]) -> tuple[Tensor, Tensor]:
        """Rows [n] of the labeled pool images and their classes [n], by position in `classes`."""
        row = {image.id: i for i, image in enumerate(images)}
        position = {each.id: i for i, each in enumerate(self.classes)}
        labels = [
            (row[label.image_id], position[label.class_id])
            for label in self.store.current_labels(self.project.id, Role.POOL)
            if label.image_id in row and label.class_id in position
        ]
        pairs = torch.tensor(labels, dtype=torch.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def _state(self, fit: _Fit, images: Sequence[ImageInfo], x: Tensor) -> tuple[AcquisitionState, list[int]]:
        """The pool without flagged images, and the ids out for labeling."""
        flagged = set(self.store.flagged_images(self.project.id))
        pending = self.store.pending_images(self.project.id, datetime.now(UTC))
        rows, y = self._labels(images)
        labeled = {images[i].id for i in rows.tolist()}
        out = (set(pending) | flagged) - labeled
        covered = torch.tensor([i for i, image in enumerate(images) if image.id in out], dtype=torch.int64)
        posterior = fit.posterior
        return AcquisitionState(x, posterior.logits(x), rows, y, covered, posterior.joint), pending

    # -- what the steps keep -----------------------------------------------------------------------------

    def _snapshot_path(self, index: int) -> Path:
        return self.workspace.snapshots_dir / str(self.project.id) / f"round-{index:05d}.safetensors"

    def _save_snapshot(self, written: Round, posterior: AdapterPosterior) -> None:
        """The posterior, and its predictions for the held-out images so that old rounds can be measured."""
        images = self._vectors.images(Role.AUDIT, Role.TEST)
        predicted = uncertainty(posterior.logits(self._vectors.read(images))).predictive if images else None
        path = self._snapshot_path(written.index)
        digest = write_snapshot(
            path,
            posterior.tensors(),
            [each.id for each in self.classes],
            [each.id for each in images],
            predicted,
        )
        relative = path.relative_to(self.workspace.path).as_posix()
        self.store.add_snapshot(self.project.id, written.id, relative, digest)

    def _held_out(self) -> HeldOut | None:
        """The test labels where the user brought some, else the audit labels; None before the first."""
        position = {each.id: i for i, each in enumerate(self.classes)}
        for role in (Role.TEST, Role.AUDIT):
            images = {image.id: image for image in self._vectors.images(role)}
            labels = [
                (images[label.image_id], position[label.class_id])
                for label in self.store.current_labels(self.project.id, role)
                if label.image_id in images and label.class_id in position
            ]
            if labels:
                break
        else:
            return None
        population = None if role is Role.TEST else len(images) + len(self._vectors.images(Role.POOL))
        return HeldOut(
            source=role,
            image_ids=np.array([image.id for image, _ in labels]),
            x=self._vectors.read([image for image, _ in labels]),
            y=torch.tensor([y for _, y in labels], dtype=torch.int64),
            population=population,
        )
