"""The support set in files that other tools read: one module per family of formats."""

from probal.export.base import ExportReport, ExportRow
from probal.export.registry import DESCRIPTIONS, EXPORTERS, export_labels

__all__ = ["DESCRIPTIONS", "EXPORTERS", "ExportReport", "ExportRow", "export_labels"]
