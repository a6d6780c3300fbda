"""What the latest model leaves behind in files: weights with a model card, an ONNX graph, predictions.

Exporters for `probal.export.export_labels`, made from a session; they write what needs no label of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from safetensors.numpy import save_file

from probal import __version__, support_set
from probal.export import ExportReport
from probal.export.base import Exporter, ExportRow, Progress, Written
from probal.session.loop import Session
from probal.session.model_card import model_card
from probal.session.onnx_model import write_onnx
from probal.session.portable import SCRIPT, PortableAdapter, portable
from probal.session.tables import prediction_table
from probal.session.vectors import ProjectVectors

FOLDER = "adapter"
WEIGHTS, CARD, PREDICT, GRAPH = "adapter.safetensors", "README.md", "predict.py", "adapter.onnx"


class ModelFiles:
    """The latest model of a session; fitted once however many files are made of it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.exporters: Mapping[str, Exporter] = {
            "adapter": _exporter(self._adapter),
            "onnx": _exporter(self._onnx),
            "predictions": _exporter(self._predictions),
        }

    @property
    def _classes(self) -> list[str]:
        return [each.name for each in self._session.classes]

    @cached_property
    def _portable(self) -> PortableAdapter:
        space = ProjectVectors(self._session.workspace, self._session.project).space
        return portable(self._session.refit(), space.centre)

    def _adapter(self, folder: Path) -> Written:
        out = folder / FOLDER
        out.mkdir()
        metadata = {
            "format": "probal-adapter-1",
            "probal": __version__,
            "classes": json.dumps(self._classes, ensure_ascii=False),
            "encoder": self._session.project.config.encoder,
        }
        save_file(self._portable.arrays(), out / WEIGHTS, metadata)
        (out / CARD).write_text(model_card(self._session, self._portable), encoding="utf-8")
        (out / PREDICT).write_text(SCRIPT, encoding="utf-8")
        return Written((f"{FOLDER}/",), len(self._classes), what="classes")

    def _onnx(self, folder: Path) -> Written:
        write_onnx(folder / GRAPH, self._portable, self._classes)
        return Written((GRAPH,), len(self._classes), what="classes")

    def _predictions(self, folder: Path) -> Written:
        table = prediction_table(self._session.predict(), top=None)
        table.to_csv(folder / "predictions.csv", index=False)
        table.to_parquet(folder / "predictions.parquet", index=False)
        return Written(("predictions.csv", "predictions.parquet"), len(table), what="predictions")


def export(
    session: Session,
    formats: Sequence[str],
    to: Path,
    rows: Sequence[ExportRow] | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """Labels and model in the formats asked for, into one folder, all or nothing; `rows` None means all labels."""
    more = ModelFiles(session).exporters
    return support_set.export(session.store, session.project, formats, to, progress, rows, more)


def write_model_files(session: Session) -> Path:
    """All files of the model in a new folder among the workspace's exports, without ONNX where its library is not
    installed; the folder."""
    formats = [each for each in ModelFiles(session).exporters if each != "onnx" or find_spec("onnx")]
    folder = session.workspace.exports_dir / f"{session.project.name}-model-{datetime.now():%Y-%m-%d-%H%M%S}"
    export(session, formats, folder)
    return folder


def _exporter(write: Callable[[Path], Written]) -> Exporter:
    def exporter(
        rows: Sequence[ExportRow], folder: Path, image_root: Path | None, progress: Progress | None
    ) -> Written:
        return write(folder)

    return exporter
