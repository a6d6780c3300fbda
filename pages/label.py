"""Label: one image, one key."""

from __future__ import annotations

from probal.ui.context import require_project
from probal.ui.labeler import labeler

labeler(require_project())
