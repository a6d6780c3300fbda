"""What the pages hand over and take in, through a browser: pictures, exports, backups, files of labels."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Download, Page, expect

from probal.backup import restore
from probal.types import Project
from probal.workspace import Workspace
from tests.browser import open_window
from tests.drawn import ready, workspace
from tests.e2e.server import running
from tests.pages.test_pages import Make, label_images
from tests.pages.test_progress import measured

__all__ = ["ready", "workspace"]
pytestmark = pytest.mark.browser
LABELED = 12


@pytest.fixture
def project(ready: Make, workspace: Workspace) -> Project:
    made = ready(n=40, audit=5)
    label_images(workspace, made, LABELED)
    measured(workspace, made.id)
    return made


@pytest.fixture
def url(workspace: Workspace, project: Project, tmp_path: Path) -> Iterator[str]:
    with running(workspace.path, tmp_path / "log") as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = open_window(browser, height=1000)
    yield page
    page.context.close()


def downloaded(page: Page, button: str) -> Download:
    with page.expect_download() as saved:
        page.get_by_role("button", name=button).first.click()
    return saved.value


def test_a_figure_leaves_as_png_and_its_numbers_as_a_table(page: Page, url: str) -> None:
    page.goto(f"{url}/progress?project=shapes")
    page.get_by_role("radio", name="PNG").click()
    plot = page.locator(".js-plotly-plot").first
    plot.hover()
    with page.expect_download() as saved:
        plot.locator(
            "[data-title='Download plot as a PNG']"
        ).click()  # so called once the choice is in the figure
    assert saved.value.suggested_filename == "shapes-accuracy.png"
    with Image.open(saved.value.path()) as image:
        image.load()
        assert min(image.size) > 300
    numbers = Path(downloaded(page, "Numbers (CSV)").path()).read_text()
    assert float(next(csv.DictReader(io.StringIO(numbers)))["accuracy"]) == 0.8


def test_labels_and_the_whole_project_leave_and_come_back(
    page: Page, url: str, workspace: Workspace, tmp_path: Path
) -> None:
    page.goto(f"{url}/export?project=shapes")
    page.get_by_role("button", name="Export", exact=True).click()
    packed = downloaded(page, "Download as zip")
    with zipfile.ZipFile(packed.path()) as archive:
        (name,) = archive.namelist()
        rows = list(csv.DictReader(io.StringIO(archive.read(name).decode())))
    assert len(rows) == LABELED
    page.get_by_role("button", name="Back up").click()
    file = downloaded(page, "Download the backup")
    with Workspace(tmp_path / "elsewhere") as other:
        report = restore(other, Path(file.path()))
        assert len(other.store.current_labels(report.project.id)) == LABELED

    (tmp_path / "more.csv").write_text("path,label\n030.png,square\n031.png,circle\n")
    before = len(workspace.store.events(workspace.store.project("shapes").id))
    page.goto(f"{url}/pool?project=shapes")
    page.get_by_text("Labels you have already").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "more.csv")
    page.get_by_role("button", name="Store 2 labels").click()
    expect(page.get_by_text("Stored 2 labels")).to_be_visible()
    expect(page.get_by_text("All that fits is stored already.")).to_be_visible()
    assert len(workspace.store.events(workspace.store.project("shapes").id)) == before + 2
