"""Ids inside the files of a project, moved as the rows' ids are; see `probal.store.transfer`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from probal.pool.predictions import NO_CLASS
from probal.store.transfer import Shift

_TENSORS = {"held_out_ids": "image", "class_ids": "class", "counted": "image"}
"""Tensors that hold ids, in the files of rounds and posteriors, and the table they are of."""


def move_ids(file: Path, shift: Shift) -> None:
    """Rewrite the ids in one of the project's files, where it holds any."""
    if file.suffix == ".safetensors":
        with safe_open(file, framework="numpy") as opened:
            metadata, names = opened.metadata(), list(opened.keys())
            if not set(names) & _TENSORS.keys():
                return
            tensors = {each: opened.get_tensor(each) for each in names}
        for each, table in _TENSORS.items():
            if each in tensors:
                tensors[each] = tensors[each] + shift.by[table]
        save_file(tensors, file, metadata)
    elif file.name == "predictions.npy":
        records = np.load(file)
        records["image_id"] += shift.by["image"]
        records["class_ids"][records["class_ids"] != NO_CLASS] += shift.by["class"]
        np.save(file, records)
    elif file.suffix == ".csv":
        text = file.read_text("utf-8")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        if rows and "class_id" in rows[0]:
            out = io.StringIO(newline="")
            writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({**row, "class_id": shift.id("class", int(row["class_id"]))} for row in rows)
            file.write_text(out.getvalue(), "utf-8", newline="")
