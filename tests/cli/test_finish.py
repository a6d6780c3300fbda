"""`probal finish`: what is said, what is written, and what the model's labels are never taken for."""

from __future__ import annotations

import csv
import json

import pandas as pd

from probal import finished
from probal.cli.finish import plan_lines
from probal.evaluation import Certificate
from probal.finish_plan import FinishPlan
from probal.finished import ModelLabel
from probal.workspace import Workspace
from tests.cli.colours import encoder, images, labels_file, prepared, truth

__all__ = ["encoder", "images", "prepared", "truth"]


def _plan(certificate: Certificate, kept: int, left: int, waiting: int = 0) -> FinishPlan:
    labels = [ModelLabel(f"{i}.png", f"{i:064d}", "red", 1, 0.9, "pool") for i in range(kept + left)]
    return FinishPlan(
        certificate, tuple(labels[:kept]), tuple(labels[kept:]), 3.2, 120, waiting, 10, 0.3, 9, "f"
    )


def test_what_is_certified_is_told_in_numbers():
    lines = "\n".join(plan_lines("zoo", _plan(Certificate(0.95, 0.9, 0.8, 200, 9, 80, 1, 45), 200, 12)))
    assert "200 of the 212 images" in lines
    assert "95%" in lines
    assert "95.0%" not in lines
    assert "confidence of 90%" in lines
    assert "about 2 if as many as among the tested images" in lines  # 200 · 1 / 80
    assert "at most 9" in lines
    assert "12 images are left to people" in lines
    assert "200.png  (red 90%?)" in lines
    assert "… and 2 more" in lines


def test_what_cannot_be_certified_says_what_it_would_take():
    lines = plan_lines("zoo", _plan(Certificate(0.98, 0.95, None, 0, 0, 0, 0, 149), 0, 300))
    assert "none of the 300 images" in lines[0]
    assert "at least 149 labels of randomly drawn images" in lines[1]
    assert (
        "there are 120, and 120 set aside in all: enough for 97.5% at most" in lines[1]
    )  # 0.05^(1/120) = 0.9753
    more = plan_lines("zoo", _plan(Certificate(0.98, 0.95, None, 0, 0, 0, 0, 149), 0, 300, 29))
    assert "the other 29 that were set aside come in between" in more[1]
    enough = plan_lines("zoo", _plan(Certificate(0.9, 0.95, None, 0, 0, 0, 0, 29), 0, 300))
    assert len(enough) == 1


def test_the_model_labels_the_rest_and_its_labels_come_back_as_nobodys(prepared, truth, tmp_path, workspace):
    assert prepared("predict", "p", "--to", tmp_path / "p.csv").exit_code == 0
    roles = pd.read_csv(tmp_path / "p.csv").set_index("path")["role"]
    audit = list(roles.index[roles == "audit"])
    some = [*audit, *list(roles.index[roles == "pool"])[:20]]
    first = prepared("finish", "p")
    assert first.exit_code == 2
    assert "no audit label" in first.stderr
    assert (
        prepared(
            "label", "p", labels_file(tmp_path / "l.csv", {path: truth[path] for path in some})
        ).exit_code
        == 0
    )

    out = tmp_path / "out"
    result = prepared(
        "finish", "p", "--precision", "0.5", "--confidence", "0.6", "--to", out, "--accept", "--json"
    )
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["labels"]
    assert (told["neighbours"], told["neighbour_share"]) == (10, 0.3)
    assert len(told["labels"]) + len(told["abstained"]) == 100 - len(some)
    with (out / finished.LABELS).open(encoding="utf-8") as handle:
        sources = [row["source"] for row in csv.DictReader(handle)]
    assert (sources.count("human"), sources.count("model")) == (len(some), len(told["labels"]))
    with Workspace(workspace) as opened:
        project = opened.store.project("p")
        kept = finished.record(opened, project)
        assert kept is not None
        assert (kept.precision, kept.labels) == (0.5, len(told["labels"]))
        assert len(finished.accepted(opened, project)) == len(told["labels"])

    back = prepared("label", "p", out / finished.LABELS)
    assert back.exit_code == 0
    assert f"{len(told['labels'])} rows without one" in back.stderr

    assert "are taken back" in prepared("finish", "p", "--undo").stderr
    with Workspace(workspace) as opened:
        assert finished.accepted(opened, opened.store.project("p")) == []
    again = prepared("finish", "p", "--undo")
    assert (again.exit_code, "nothing to take back" in again.stderr) == (2, True)

    certified = prepared("finish", "p", "--precision", "0.98", "--accept")
    assert certified.exit_code == 2
    assert "nothing is certified" in certified.stderr


def test_status_tells_the_advice(prepared, truth, tmp_path):
    assert prepared("label", "p", labels_file(tmp_path / "l.csv", truth)).exit_code == 0
    shown = prepared("status", "p").stdout
    assert "advice" in shown
    assert "Too early to say" in shown or "You can stop" in shown
