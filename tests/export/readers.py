"""Every export read back through the library it is for, or by the format's own rules: (hash, label) pairs."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote
from xml.etree import ElementTree

import datasets
import pandas as pd
from PIL import Image

from probal.encoders._torchvision import make_torchvision_importable

Pairs = set[tuple[str, str]]


def read_csv(folder: Path) -> Pairs:
    frame = pd.read_csv(folder / "labels.csv", dtype=str, keep_default_na=False)
    return set(zip(frame["content_hash"], frame["label"], strict=True))


def read_jsonl(folder: Path) -> Pairs:
    frame = pd.read_json(folder / "labels.jsonl", lines=True, dtype=False)
    return set(zip(frame["content_hash"], frame["label"], strict=True))


def read_parquet(folder: Path) -> Pairs:
    frame = pd.read_parquet(folder / "labels.parquet")
    assert str(frame["labeled_at"].dtype).startswith("datetime64[us, UTC")
    return set(zip(frame["content_hash"], frame["label"], strict=True))


def read_image_folder(folder: Path) -> Pairs:
    """As torchvision's ImageFolder reads it, every image opened, folders named by classes.json."""
    make_torchvision_importable()
    import torchvision

    mapping = json.loads((folder / "classes.json").read_text("utf-8"))["classes"]
    names = {each["folder"]: each["name"] for each in mapping}
    found = torchvision.datasets.ImageFolder(folder / "images")
    for i in range(len(found)):
        assert found[i][0].size > (0, 0)
    return {
        (hashlib.sha256(Path(file).read_bytes()).hexdigest(), names[found.classes[target]])
        for file, target in found.samples
    }


def read_zip(folder: Path) -> Pairs:
    with TemporaryDirectory() as scratch, zipfile.ZipFile(folder / "imagefolder.zip") as archive:
        archive.extractall(scratch)
        return read_image_folder(Path(scratch))


def read_links(folder: Path) -> Pairs:
    return read_image_folder(folder / "imagefolder-linked")


def read_hugging_face(folder: Path) -> Pairs:
    with TemporaryDirectory() as cache:
        loaded = datasets.load_dataset(str(folder / "hf"), cache_dir=cache)
        assert set(loaded) <= {"train", "test"}
        pairs = set()
        for split in loaded.values():
            label = split.features["label"]
            assert isinstance(label, datasets.ClassLabel)
            for row, raw in zip(split, split.cast_column("image", datasets.Image(decode=False)), strict=True):
                assert row["image"].size > (0, 0)
                digest = hashlib.sha256(raw["image"]["bytes"]).hexdigest()
                assert digest == row["content_hash"]
                pairs.add((digest, label.int2str(row["label"])))
        return pairs


def read_label_studio(folder: Path) -> Pairs:
    """By the rules of Label Studio's format: a result names a control and an object of the labeling config."""
    config = ElementTree.parse(folder / "labelstudio" / "config.xml").getroot()
    (control,), (shown,) = config.findall("Choices"), config.findall("Image")
    choices = [each.get("value") for each in control.findall("Choice")]
    field = (shown.get("value") or "").removeprefix("$")
    pairs = set()
    for task in json.loads((folder / "labelstudio" / "tasks.json").read_text("utf-8")):
        assert set(task) == {"data", "annotations", "predictions"}
        assert unquote(task["data"][field]).startswith("/data/local-files/?d=")
        for result in [each["result"] for kind in ("annotations", "predictions") for each in task[kind]]:
            (one,) = result
            assert (one["from_name"], one["to_name"]) == (control.get("name"), shown.get("name"))
            assert control.get("toName") == shown.get("name")
            assert one["type"] == control.tag.lower()
        (annotation,) = task["annotations"]
        (label,) = annotation["result"][0]["value"]["choices"]
        assert label in choices
        pairs.add((task["data"]["content_hash"], label))
    return pairs


def read_fiftyone(folder: Path) -> Pairs:
    """As FiftyOneImageClassificationDataset is documented: data/<key>.<ext>, targets index into classes."""
    found = json.loads((folder / "fiftyone" / "labels.json").read_text("utf-8"))
    assert set(found) == {"classes", "labels"}
    files = {file.stem: file for file in (folder / "fiftyone" / "data").iterdir()}
    assert files.keys() == found["labels"].keys()
    pairs = set()
    for key, label in found["labels"].items():
        with Image.open(files[key]) as image:
            image.load()
        digest = hashlib.sha256(files[key].read_bytes()).hexdigest()
        assert digest == label["attributes"]["content_hash"]
        pairs.add((digest, found["classes"][label["label"]]))
    return pairs


READERS: dict[str, Callable[[Path], Pairs]] = {
    "csv": read_csv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "imagefolder": read_image_folder,
    "imagefolder-zip": read_zip,
    "imagefolder-link": read_links,
    "hf": read_hugging_face,
    "labelstudio": read_label_studio,
    "fiftyone": read_fiftyone,
}
