"""Labels as one file to download: the file itself where the format is one, else a zip of the folder."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from probal import support_set
from probal.export import export_labels
from probal.export.filters import Filter
from probal.types import Project
from probal.web.models import ROW_MAX
from probal.workspace import Workspace


def zip_folder(folder: Path, archive: Path) -> Path:
    """Pack a folder's files under the folder's name; images are stored as they are, being compressed already."""
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            text = file.suffix in (".csv", ".json", ".jsonl", ".md", ".py", ".xml")
            method = zipfile.ZIP_DEFLATED if text else zipfile.ZIP_STORED
            packed.write(file, Path(folder.name) / file.relative_to(folder), compress_type=method)
    return archive


class Wanted(BaseModel):
    """The query of a download: its format, and the filters of the Export page and of `probal export`."""

    model_config = ConfigDict(extra="forbid")

    format: Annotated[str, Field(max_length=40)] = "csv"
    round: Annotated[list[Annotated[int, Field(ge=0, le=ROW_MAX)]], Field(max_length=1000)] = []
    """Only images that one of these rounds proposed, from 0."""
    annotator: Annotated[list[str], Field(max_length=1000)] = []
    """Only labels of these people."""
    given: Annotated[list[str], Field(max_length=10)] = []
    """Only labels given so: `label` by hand, `confirm` (a prediction was accepted), `adjudicate`."""
    min_agreement: float = 0.0
    """Least share of an image's annotators that gave its label."""
    audit: bool = True
    """With the images that measure the accuracy."""
    per_class: int | None = None
    """A curated support set: so many images per class that cover the rest."""

    def filter(self) -> Filter:
        """UserError for what no label can have."""
        return Filter(
            tuple(self.round), tuple(self.annotator), tuple(self.given), self.min_agreement, self.audit
        )


def download(workspace: Workspace, project: Project, wanted: Wanted) -> FileResponse:
    """The labels in one format. UserError for an unknown one, and where no label is left to hand out."""
    scratch = Path(tempfile.mkdtemp(prefix="probal-export-"))
    try:
        rows = support_set.chosen_rows(workspace, project, wanted.filter(), wanted.per_class)
        folder = scratch / f"{project.name}-{wanted.format}"
        root = Path(project.config.image_root) if project.config.image_root else None
        export_labels(rows, folder, [wanted.format], root)
        files = list(folder.iterdir())
        alone = files[0] if len(files) == 1 and files[0].is_file() else None
        file = alone or zip_folder(folder, scratch / f"{folder.name}.zip")
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    name = f"{folder.name}{file.suffix}" if alone else file.name
    return FileResponse(file, filename=name, background=BackgroundTask(shutil.rmtree, scratch, True))
