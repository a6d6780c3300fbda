"""Labels as one file to download: the file itself where the format is one, else a zip of the folder."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from probal import support_set
from probal.export import export_labels
from probal.store import Store
from probal.types import Project


def zip_folder(folder: Path, archive: Path) -> Path:
    """Pack a folder's files under the folder's name; images are stored as they are, being compressed already."""
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            text = file.suffix in (".csv", ".json", ".jsonl", ".md", ".py", ".xml")
            method = zipfile.ZIP_DEFLATED if text else zipfile.ZIP_STORED
            packed.write(file, Path(folder.name) / file.relative_to(folder), compress_type=method)
    return archive


def download(store: Store, project: Project, format: str) -> FileResponse:
    """The labels in one format. UserError for an unknown one, and where there is no label yet."""
    scratch = Path(tempfile.mkdtemp(prefix="probal-export-"))
    try:
        folder = scratch / f"{project.name}-{format}"
        root = Path(project.config.image_root) if project.config.image_root else None
        export_labels(support_set.label_rows(store, project), folder, [format], root)
        files = list(folder.iterdir())
        alone = files[0] if len(files) == 1 and files[0].is_file() else None
        file = alone or zip_folder(folder, scratch / f"{folder.name}.zip")
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    name = f"{folder.name}{file.suffix}" if alone else file.name
    return FileResponse(file, filename=name, background=BackgroundTask(shutil.rmtree, scratch, True))
