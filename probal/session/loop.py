"""The loop of one project: prepare, propose, record, refit, evaluate, export; where all the rooms meet.

Each step reads what it needs from the store and writes what it did: two sessions on one project agree, and a
session may be dropped at any time. Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from probal import labeling, support_set
from probal.acquisition import AcquisitionState, propose, uncertainty
from probal.adapters import AdapterPosterior, load_adapter
from probal.encoders.vectors import VectorEncoder
from probal.errors import UserError
from probal.export import ExportReport
from probal.pool.predictions import predictions_path, write_predictions
from probal.posterior import Distance
from probal.random import derive_seed
from probal.session.advice import advise
from probal.session.ambiguity import project_probvlm, with_ambiguity, with_score
from probal.session.by_hand import begin_with, chosen_by_hand, done
from probal.session.engine import Engine, Fit
from probal.session.measure import HeldOut, measure, pool_uncertainty
from probal.session.prepare import prepare
from probal.session.proposals import describe
from probal.session.snapshot import snapshot_path, write_snapshot
from probal.session.space import unit_rows
from probal.session.target import NEIGHBOURS, TARGET_STRATEGY, Aim, find_target
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

RESERVE = 4
"""Batches proposed per round: those after the first keep quick hands busy while the next round is computed, which
takes their place as soon as it is there."""
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


class Session:
    """One project of a workspace. UserError where the workspace or the project does not exist."""

    def __init__(self, workspace: Workspace | Path | str, project: str) -> None:
        self.workspace = workspace if isinstance(workspace, Workspace) else Workspace(Path(workspace))
        self.store = self.workspace.store
        self.project = self.store.project(project)
        self._vectors = ProjectVectors(self.workspace, self.project)
        self._engine = Engine(self.workspace, self.project, self._vectors)

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
        self._engine.forget()
        if self.store.latest_round(self.project.id) is None and self._vectors.images(Role.POOL):
            self.propose()
            self.evaluate()

    def record(self, events: Sequence[Event]) -> RecordResult:
        """Store events of a trusted caller (no lease needed) and ask for a refit when one is due."""
        return labeling.record(self.store, self.project, events, require_lease=False)

    def refit(self) -> AdapterPosterior:
        """Fit the adapter on the labels so far; the posterior is kept until the labels change."""
        return self._engine.fit().posterior

    def aim(
        self,
        where: str,
        distance: Distance = Distance.COSINE,
        neighbours: int = NEIGHBOURS,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> Aim:
        """The images of a folder, or of another project, as something to aim rounds at; embeds what is new."""
        found = find_target(self.workspace, self._engine.towers, where, self.project.config.seed, progress)
        return replace(found, distance=distance, neighbours=neighbours)

    def propose(
        self, n: int | None = None, strategy: str | None = None, aim: Aim | None = None
    ) -> list[Proposal]:
        """Choose `n` images (`RESERVE` batches when None) and write them down as the next round, best first.

        With an `aim` (`probal.session.target`) only the target's neighbours in the pool are looked at, by EPIG
        about the target unless a strategy is named.
        """
        config = self.project.config
        strategy = strategy or (config.strategy if aim is None else TARGET_STRATEGY)
        wanted = config.batch_size * RESERVE if n is None else n
        fit = self._engine.fit()
        started = time.perf_counter()
        latest = self.store.latest_round(self.project.id)
        index = 0 if latest is None else latest.index + 1
        seed = derive_seed(config.seed, "round", index)
        fitted_after = min(config.batch_size, wanted) if n is None else wanted
        found = self._engine.candidates(fit, aim, wanted, fitted_after)
        probvlm = project_probvlm(self.workspace, self.project, self._vectors.space.fingerprint)
        images, state = found.images, with_score(probvlm, found.state, strategy)
        _ = state.uncertainty
        scored = time.perf_counter()
        picks = propose(strategy, state, wanted, torch.Generator().manual_seed(seed))
        by_hand = chosen_by_hand(self.store, self.project) if aim is None else []
        picks = begin_with(picks, by_hand, images, state)
        about = None if aim is None else aim.name
        proposals = describe(picks, images, self.classes, state.uncertainty.predictive, strategy, about)
        proposals = with_ambiguity(probvlm, proposals, state.embeddings[[pick.row for pick in picks]])
        candidates = sorted(images[i].content_hash for i in state.candidates.tolist())
        written = self.store.add_round(
            self.project.id,
            strategy=strategy,
            seed=seed,
            config={
                "batch": wanted,
                "fitted_after": fitted_after,
                "adapter": config.adapter,
                **fit.posterior.hyperparameters(),
                **fit.facts(),
                **found.facts,
                **({"decided": state.decided} if state.decided else {}),
                **({"by_hand": {"image_ids": by_hand}} if by_hand else {}),
            },
            encoder_fingerprint=self._vectors.space.fingerprint,
            adapter_fingerprint=fit.fingerprint,
            event_watermark=fit.watermark,
            candidate_hash=hashlib.sha256("\n".join(candidates).encode()).hexdigest(),
            pending_ids=found.pending,
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
        done(self.store, self.project, by_hand)
        self._save_snapshot(written, fit)
        whole = found if aim is None else self._engine.candidates(fit)
        self._save_predictions(whole.images, whole.state, written)
        return self.store.proposals(written.id)

    def evaluate(self) -> list[Metric]:
        """Measure the latest round's model on the audit or test labels and write the metrics down.

        Earlier rounds are measured again on the audit labels that have come since, so the whole curve rests
        on the same images. Empty before the first label of either kind.
        """
        started = time.perf_counter()
        rounds = self.store.rounds(self.project.id)
        if not rounds:
            return []
        fit = self._engine.fit()  # first, since it takes the classes as they are now
        held_out = self._held_out()
        if held_out is None:
            return []
        measured = measure(
            rounds,
            self._snapshot_path,
            held_out,
            load_adapter(self.project.config.adapter, self._vectors.space.scale),
            fit.prior,
        )
        self.store.add_metrics(self.project.id, measured.metrics)
        advise(self.workspace, self.project, rounds, held_out, measured.hits)
        self.store.update_timings(rounds[-1].id, {"evaluate": time.perf_counter() - started})
        return measured.metrics

    def predict(self, *roles: Role) -> Predictions:
        """Predict every image of these roles (pool and audit if none is given) with the model so far."""
        fit = self._engine.fit()  # first, as in `evaluate`
        images = self._vectors.images(*(roles or (Role.POOL, Role.AUDIT)))
        found = uncertainty(self._engine.logits(fit, images))
        names = tuple(each.name for each in self.classes)
        scores = (found.predictive, found.total, found.aleatoric, found.epistemic)
        return Predictions(tuple(images), names, *(each.numpy() for each in scores))

    def rows(self, images: Sequence[ImageInfo]) -> np.ndarray:
        """Unit rows [N,D] of these images as the model sees them."""
        return self._vectors.read(images).numpy()

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Unit rows [T,D] of texts as the encoder reads them; UserError for a project of ready-made vectors."""
        encoder = self._vectors.encoder()
        if isinstance(encoder, VectorEncoder):
            raise UserError("a project of ready-made vectors cannot read a text: search by an image instead")
        return unit_rows(encoder.encode_texts(texts))

    def export(self, formats: Sequence[str], to: Path) -> ExportReport:
        """Write the labeled images to the folder `to`; see `probal.export`."""
        return support_set.export(self.store, self.project, formats, to)

    # -- what the steps keep -----------------------------------------------------------------------------

    def _snapshot_path(self, index: int) -> Path:
        return snapshot_path(self.workspace, self.project, index)

    def _save_snapshot(self, written: Round, fit: Fit) -> None:
        """The posterior, and its predictions for the held-out images so that old rounds can be measured."""
        images = self._vectors.images(Role.AUDIT, Role.TEST)
        predicted = uncertainty(self._engine.logits(fit, images)).predictive if images else None
        path = self._snapshot_path(written.index)
        digest = write_snapshot(
            path,
            fit.posterior.tensors(),
            [each.id for each in self.classes],
            [each.id for each in images],
            predicted,
        )
        relative = path.relative_to(self.workspace.path).as_posix()
        self.store.add_snapshot(self.project.id, written.id, relative, digest)

    def _save_predictions(self, images: Sequence[ImageInfo], state: AcquisitionState, of: Round) -> None:
        """What the model says about the unlabeled pool, for the grid, and how unsure it is on the whole."""
        rows = state.candidates
        found = state.uncertainty
        predictive, total, aleatoric = (
            each[rows].numpy() for each in (found.predictive, found.total, found.aleatoric)
        )
        write_predictions(
            predictions_path(self.workspace.snapshots_dir, self.project.id),
            [images[i].id for i in rows.tolist()],
            [each.id for each in self.classes],
            predictive,
            total,
            aleatoric,
        )
        self.store.add_metrics(self.project.id, [pool_uncertainty(of, total, aleatoric)])

    def _held_out(self) -> HeldOut | None:
        """The test labels where the user brought some, else the audit labels; None before the first."""
        position = {each.id: i for i, each in enumerate(self.classes)}
        for role in (Role.TEST, Role.AUDIT):
            images = {image.id: image for image in self._vectors.images(role)}
            given = self.store.current_labels(self.project.id, role)
            labels = [
                (images[label.image_id], position[label.class_id])
                for label in sorted(given, key=lambda each: each.event_row)
                if label.image_id in images and label.class_id in position
            ]
            if labels:
                break
        else:
            return None
        return HeldOut(
            source=role,
            image_ids=np.array([image.id for image, _ in labels]),
            x=self._vectors.read([image for image, _ in labels]),
            y=torch.tensor([y for _, y in labels], dtype=torch.int64),
            class_ids=tuple(each.id for each in self.classes),
            merged=self.store.merged_classes(self.project.id),
        )
