"""A project in one file, and back: rows, models and settings, with or without the image vectors; never the images.

The file is a zip::

    manifest.json      what it is, of which version, and the sha256 of every other part
    project.sqlite     the project's rows, a database of its own: an older one is migrated when it is opened
    files/…            the project's folder below snapshots: rounds' models, posterior, ProbVLM, predictions
    features/…         its encoder's prototypes and, for a project of vectors, those
    vectors.f16        rows of little-endian float16, in the order of hashes.txt (content hashes, one a line)

Images are told by their content, so they may lie anywhere by then, under other names.
"""

from __future__ import annotations

FORMAT = "probal-backup-1"
MANIFEST, ROWS, FILES, FEATURES = "manifest.json", "project.sqlite", "files", "features"
HASHES, VECTORS = "hashes.txt", "vectors.f16"
VECTORS_AT_ONCE = 8192
"""In memory."""
