"""The Engine page as Streamlit runs it: choices become settings and jobs, mistakes become sentences."""

from __future__ import annotations

from pathlib import Path

from probal import orders
from probal.types import ImageState, JobKind, JobState
from probal.ui.probvlm_view import FEWEST_PAIRS
from probal.workspace import Workspace
from tests.pages.test_pages import Make, label_images, page, press, texts


def button(app, label: str):
    return next(each for each in app.button if each.label == label)


def test_a_choice_is_told_in_words_and_used_when_said(ready: Make, workspace: Workspace) -> None:
    project = ready()
    app = page("engine", "shapes")
    assert not app.exception
    assert button(app, "Use from now on").disabled
    assert "Encoder: embedded" in app.text[0].value
    app = app.selectbox[0].select("entropy").run()
    assert "The highest entropy" in texts(app)
    assert workspace.store.project("shapes").config.strategy == "auto"
    app = press(app, "Use from now on")
    assert not app.exception
    assert workspace.store.project("shapes").config.strategy == "entropy"
    job = workspace.store.last_job(project.id, JobKind.REFIT)
    assert job is not None
    assert job.state is JobState.QUEUED


def test_probvlm_is_offered_when_it_can_be_trained(ready: Make, workspace: Workspace) -> None:
    project = ready(n=60, audit=5)
    app = page("engine", "shapes")
    assert button(app, "Train ProbVLM").disabled
    assert f"It takes {FEWEST_PAIRS} labels" in texts(app)
    assert "probvlm" not in app.selectbox[0].options
    label_images(workspace, project, 60)
    app = press(page("engine", "shapes"), "Train ProbVLM")
    assert not app.exception
    job = workspace.store.last_job(project.id, JobKind.PROBVLM)
    assert job is not None
    assert job.state is JobState.QUEUED
    assert not any(each.label == "Train ProbVLM" for each in app.button)


def test_probvlm_can_learn_from_captions_without_a_label(
    ready: Make, workspace: Workspace, tmp_path: Path
) -> None:
    project = ready()

    def tell(app, file: str):
        return next(each for each in app.text_input if "path,caption" in each.label).set_value(file).run()

    app = tell(page("engine", "shapes"), "/no/such.csv")
    app = press(app, "Train ProbVLM")
    assert "There is no file" in app.error[0].value
    assert workspace.store.last_job(project.id, JobKind.PROBVLM) is None
    (tmp_path / "captions.csv").write_text("path,caption\n000.png,a disc\n")
    app = press(tell(app, str(tmp_path / "captions.csv")), "Train ProbVLM")
    assert not app.exception
    assert orders.captions_file(workspace.store, project) == tmp_path / "captions.csv"
    assert workspace.store.last_job(project.id, JobKind.PROBVLM) is not None
    orders.ask_probvlm(workspace.store, project)
    assert orders.captions_file(workspace.store, project) is None


def test_what_probvlm_adds_is_shown_and_its_strategy_offered(ready: Make, workspace: Workspace) -> None:
    project = ready()
    hashes = [image.content_hash for image in workspace.store.images(project.id, state=ImageState.OK)[:2]]
    workspace.store.set_setting(
        project.id, orders.PROBVLM, {"file": "a", "labels": 41, "captions": 1200, "calibration_error": 0.031}
    )
    gain = {
        "file": "a",
        "images": 25,
        "flagged": 3,
        "correlation": 0.12,
        "left_out": 7,
        "most": hashes[:1],
        "least": hashes[1:],
    }
    workspace.store.set_setting(project.id, orders.PROBVLM_GAIN, gain)
    app = page("engine", "shapes")
    assert not app.exception
    numbers = {metric.label: metric.value for metric in app.metric}
    assert numbers["Flagged as ambiguous"] == "3 of 25"
    assert numbers["Intervals are off by"] == "3.1%"
    assert numbers["Trained on"] == "41 labels, 1,200 captions"
    assert "left out: 7" in texts(app)
    assert "hardly what" in texts(app)
    assert "What ProbVLM does not know" in app.selectbox[0].options
    workspace.store.set_setting(project.id, orders.PROBVLM_GAIN, {**gain, "file": "an older one"})
    app = page("engine", "shapes")
    assert [metric.label for metric in app.metric] == ["Trained on", "Intervals are off by"]


def test_rounds_are_aimed_and_a_folder_that_is_not_there_is_told(
    ready: Make, workspace: Workspace, tmp_path: Path
) -> None:
    project = ready()
    app = page("engine", "shapes")
    app.text_input[0].set_value("/no/such/folder").run()
    app = press(app, "Aim at these")
    assert "There is no folder" in app.error[0].value
    app.text_input[0].set_value(str(tmp_path)).run()
    app = press(app, "Aim at these")
    assert orders.aim(workspace.store, project) == str(tmp_path)
    assert str(tmp_path) in app.info[0].value
    press(app, "Aim at nothing")
    assert orders.aim(workspace.store, project) is None


def test_a_posterior_is_asked_for_shown_and_switched(ready: Make, workspace: Workspace) -> None:
    project = ready()
    app = page("engine", "shapes")
    app = app.radio[0].set_value("published").run()
    app = press(app, "Compute")
    assert "published factors" in app.error[0].value
    assert workspace.store.last_job(project.id, JobKind.POSTERIOR) is None
    app = app.radio[0].set_value("pool").run()
    press(app, "Compute")
    job = workspace.store.last_job(project.id, JobKind.POSTERIOR)
    assert job is not None
    workspace.store.claim("test", project.id)
    workspace.store.finish(job.id)
    workspace.store.set_setting(project.id, orders.POSTERIOR, {"id": "abc", "on": False})
    facts = {
        "id": "abc", "source": "label-free", "count": 25.0, "images": 25, "changed": 2,
        "confidence": [0.8, 0.75], "epistemic": [0.01, 0.2],
    }  # fmt: skip
    workspace.store.set_setting(project.id, orders.POSTERIOR_FACTS, facts)
    app = page("engine", "shapes")
    assert not app.exception
    assert {metric.label: metric.value for metric in app.metric}["Called otherwise"] == "2 of 25"
    workspace.store.set_setting(project.id, orders.POSTERIOR_FACTS, {**facts, "id": "of another"})
    app = page("engine", "shapes")
    assert not app.metric
    app = app.toggle[0].set_value(True).run()
    assert not app.exception
    assert orders.posterior_in_use(workspace.store, project) is True


def test_a_failed_job_is_told_in_its_own_words(ready: Make, workspace: Workspace) -> None:
    project = ready()
    job = workspace.store.enqueue(project.id, JobKind.POSTERIOR)
    workspace.store.claim("test", project.id)
    workspace.store.fail(job.id, "the factors belong to another model")
    assert page("engine", "shapes").error[0].value == "the factors belong to another model"
