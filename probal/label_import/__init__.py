"""Labels from elsewhere into a project: read in any format that leaves it, matched, and made into events."""

from probal.label_import.events import label_events, missing_events, undo_events
from probal.label_import.match import Match, match, require_all, resolve
from probal.label_import.read import read_labels
from probal.label_import.rows import LabelsFile, Row
from probal.label_import.tables import read_labels_file

__all__ = [
    "LabelsFile",
    "Match",
    "Row",
    "label_events",
    "match",
    "missing_events",
    "read_labels",
    "read_labels_file",
    "require_all",
    "resolve",
    "undo_events",
]
