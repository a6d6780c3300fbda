"""Images and downloads: who may see them, how long they keep, what is in them."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from probal.pool.features import FeatureStore
from probal.pool.vector_scan import scan_vectors
from probal.types import ImageState, Project
from probal.web.downloads import zip_folder
from probal.web.security import TOKEN_HEADER, image_url
from probal.workspace import Workspace
from tests.web.calls import label, lease, send

Make = Callable[..., Project]


def test_media_is_signed_immutable_and_known_only(
    client: TestClient, ready: Make, workspace: Workspace
) -> None:
    project = ready()
    item = lease(client)["items"][0]
    del client.headers[TOKEN_HEADER]
    answer = client.get(item["media"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    first, second = workspace.store.images(project.id, state=ImageState.OK)[:2]
    plain = f"/media/{first.content_hash}/320"
    assert client.get(plain).status_code == 401
    assert client.get(plain, headers={TOKEN_HEADER: workspace.token}).status_code == 200
    borrowed = image_url(workspace.token, second.content_hash, 320).partition("?")[2]
    assert client.get(f"{plain}?{borrowed}").status_code == 401
    assert client.get(image_url(workspace.token, "0" * 64, 320)).status_code == 404
    assert client.get(image_url(workspace.token, first.content_hash, 333)).status_code == 404
    assert client.post(item["media"]).status_code == 405
    assert client.get(item["media"], headers={"Host": "evil.example.com"}).status_code == 400


def test_an_image_that_cannot_be_decoded_says_so(
    client: TestClient, ready: Make, workspace: Workspace
) -> None:
    project = ready()
    broken = next(image for image in workspace.store.images(project.id) if image.path == "broken.png")
    answer = client.get(image_url(workspace.token, broken.content_hash, 320))
    assert answer.status_code == 404
    assert "broken.png" in answer.json()["detail"]


def label_some(client: TestClient, workspace: Workspace, project: Project) -> int:
    class_id = workspace.store.classes(project.id)[0].id
    return len(send(client, *(label(item, class_id) for item in lease(client)["items"]))["accepted"])


def test_labels_download_as_a_table(client: TestClient, ready: Make, workspace: Workspace) -> None:
    n = label_some(client, workspace, ready())
    answer = client.get("/api/projects/shapes/export", params={"format": "csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="shapes-csv.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == n
    assert {row["label"] for row in rows} == {"circle"}


def test_folders_download_as_a_zip(client: TestClient, ready: Make, workspace: Workspace) -> None:
    n = label_some(client, workspace, ready())
    answer = client.get("/api/projects/shapes/export", params={"format": "imagefolder"})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        images = [name for name in packed.namelist() if name.endswith(".png")]
    assert len(images) == n
    assert {Path(name).parts[:3] for name in images} == {("shapes-imagefolder", "images", "circle")}


def test_a_download_takes_the_filters_of_the_page(
    client: TestClient, ready: Make, workspace: Workspace
) -> None:
    project = ready(n=30, audit=5)
    circle, square, _ = workspace.store.classes(project.id)
    bobs, adas = lease(client, annotator="bob", n=4)["items"], lease(client, annotator="ada", n=8)["items"]
    send(client, *(label(item, square.id, "bob", kind="confirm") for item in bobs))
    send(client, *(label(item, circle.id) for item in adas))

    def labels(**query: object) -> list[dict[str, str]]:
        answer = client.get("/api/projects/shapes/export", params=query)
        assert answer.status_code == 200, answer.text
        return list(csv.DictReader(io.StringIO(answer.text)))

    everything = labels()
    audit = sum(row["role"] == "audit" for row in everything)
    assert len(everything) == 12
    assert audit > 0
    assert {row["label"] for row in labels(annotator="bob")} == {"square"}
    assert len(labels(annotator=["ada", "bob"])) == 12
    assert {row["annotator"] for row in labels(given="confirm")} == {"bob"}
    assert len(labels(audit=False)) == 12 - audit == len(labels(round=0))
    assert len(labels(min_agreement=1)) == 12

    facts = {"fingerprint": "ab", "width": 4, "centred": False}
    hashes = [each.content_hash for each in workspace.store.images(project.id) if each.content_hash]
    x = np.random.default_rng(0).normal(size=(len(hashes), 4)).astype(np.float32)
    FeatureStore(workspace.features_dir, "ab", 4).append(hashes, x)
    workspace.store.set_setting(project.id, "encoder", facts)
    few = labels(per_class=1)
    assert [row["role"] for row in few] == ["pool", "pool"]
    assert {row["label"] for row in few} == {"circle", "square"}


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ({"annotator": "nobody"}, 400, "none of the"),
        ({"given": "guess"}, 400, "label, confirm, adjudicate"),
        ({"min_agreement": 2}, 400, "between 0 and 1"),
        ({"per_class": 0}, 400, "1 or more"),
        ({"round": -1}, 422, "greater than or equal to 0"),
        ({"anotator": "ada"}, 422, "Extra inputs"),
    ],
)
def test_a_filter_that_cannot_be_is_told(
    client: TestClient,
    ready: Make,
    workspace: Workspace,
    query: dict[str, object],
    status: int,
    told: str,
) -> None:
    label_some(client, workspace, ready())
    answer = client.get("/api/projects/shapes/export", params=query)
    assert (answer.status_code, told in str(answer.json()["detail"])) == (status, True)


@pytest.mark.parametrize("format", ["nope", "../csv", ""])
def test_an_unknown_format_is_400_and_names_those_there_are(
    client: TestClient, ready: Make, workspace: Workspace, format: str
) -> None:
    label_some(client, workspace, ready())
    answer = client.get("/api/projects/shapes/export", params={"format": format})
    assert answer.status_code == 400
    assert "imagefolder" in answer.json()["detail"]


def test_nothing_labeled_is_400(client: TestClient, ready: Make) -> None:
    ready()
    assert client.get("/api/projects/shapes/export").status_code == 400


def test_a_download_leaves_nothing_behind(
    client: TestClient, ready: Make, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label_some(client, workspace, ready())
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    for format in ("csv", "imagefolder", "nope"):
        client.get("/api/projects/shapes/export", params={"format": format})
    assert list(scratch.iterdir()) == []


def test_zipping_keeps_the_tree(tmp_path: Path) -> None:
    (tmp_path / "out" / "a" / "b").mkdir(parents=True)
    (tmp_path / "out" / "a" / "b" / "c.csv").write_text("x")
    with zipfile.ZipFile(zip_folder(tmp_path / "out", tmp_path / "out.zip")) as packed:
        assert packed.namelist() == ["out/a/b/c.csv"]


def test_an_item_without_a_picture_is_a_card_with_its_name(
    client: TestClient, workspace: Workspace, tmp_path: Path
) -> None:
    np.savez(tmp_path / "own.npz", x=np.eye(3), id=["one", "<b>two</b>", "three"])
    project = workspace.create_project("own", vectors=tmp_path / "own.npz", classes=["a", "b"])
    table = workspace.own_vectors(project)
    assert table is not None
    workspace.store.sync_images(project.id, scan_vectors(table, None))
    for image, name in zip(
        workspace.store.images(project.id), ("one", "&lt;b&gt;two&lt;/b&gt;", "three"), strict=True
    ):
        answer = client.get(image_url(workspace.token, image.content_hash, 1280))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert f">{name}<" in answer.text
