"""The Progress page as Streamlit runs it: advice, figures by subject, numbers to download, empty states."""

from __future__ import annotations

from dataclasses import replace

from probal.advice import DRIFT, STOPPING
from probal.evaluation import PRELIMINARY_BELOW, Drift, Projection, StoppingAdvice, Verdict
from probal.types import Metric
from probal.workspace import Workspace
from tests.pages.test_pages import Make, label_images, page, texts


def measured(workspace: Workspace, project_id: int, n: int = 40) -> None:
    ids = [each.id for each in workspace.store.classes(project_id)]
    counts = [[ids[0], ids[0], n - 8], [ids[1], ids[2], 3], [ids[1], ids[1], 5]]
    rows = [
        ("accuracy", 0.8, 0.6, 0.9, {"source": "audit"}),
        ("confusion", 0.1, None, None, {"counts": counts}),
        ("debiased_ece", 0.06, None, None, {"bins": [[0.7, 0.6, n // 2], [0.9, 0.8, n // 2]]}),
        ("pool_uncertainty", 0.9, None, None, {"aleatoric": 0.6}),
    ]
    workspace.store.add_metrics(
        project_id,
        [Metric(name, v, low, high, n, 0, 0, n < 30, detail) for name, v, low, high, detail in rows],
    )


def advised(verdict: Verdict, *projected: Projection) -> StoppingAdvice:
    return StoppingAdvice(
        verdict, "A sentence.", ("a reason", "another"), 0, 7, 40, 0.6, 0.95, 0.9, projected
    )


def test_every_subject_has_its_figure_and_numbers(ready: Make, workspace: Workspace) -> None:
    project = ready(n=30)
    label_images(workspace, project, 7)
    measured(workspace, project.id)
    app = page("progress", "shapes")
    assert not app.exception
    # curve, balance, accuracy per class, confusion, calibration, uncertainty
    assert len(app.get("plotly_chart")) == 6
    assert len(app.get("download_button")) == 6
    assert "square called triangle: 3 of 8" in "\n".join(each.value for each in app.text)
    assert "off by 6.0 points" in texts(app)
    assert app.main[0].type == "title"  # Streamlit writes out any string that stands alone in a page
    assert "No labels by hand yet" in texts(app)


def test_a_project_without_measurements_says_when_they_come(ready: Make) -> None:
    ready()
    app = page("progress", "shapes")
    assert not app.exception
    told = texts(app)
    for sentence in ("No accuracy yet", "No labels yet", "Not measured yet", "No labels by hand yet"):
        assert sentence in told


def test_many_classes_are_a_table(ready: Make, workspace: Workspace) -> None:
    names = [f"kind {i}" for i in range(70)]
    project = ready(n=30, classes=names)
    label_images(workspace, project, 7)
    measured(workspace, project.id)
    app = page("progress", "shapes")
    assert not app.exception
    # neither 70 bars nor 70 × 70 cells
    assert len(app.get("plotly_chart")) == 3
    tables = [set(each.value.columns) for each in app.dataframe]
    assert {"class", "labels", "accuracy", "low", "high", "tested on"} in tables
    assert {"label", "called", "images", "of"} in tables


def test_advice_is_a_sentence_with_reasons(ready: Make, workspace: Workspace) -> None:
    project = ready()
    store = workspace.store
    assert not page("progress", "shapes").success
    store.set_setting(project.id, STOPPING, advised(Verdict.CAN_STOP).to_dict())
    app = page("progress", "shapes")
    assert app.success[0].value == "A sentence."
    assert "A reason" in texts(app)
    assert any(each.label == "Let the model label the rest" for each in app.button)
    store.set_setting(project.id, STOPPING, advised(Verdict.GO_ON).to_dict())
    app = page("progress", "shapes")
    assert app.info[0].value == "A sentence."
    assert not any(each.label == "Let the model label the rest" for each in app.button)


def test_drift_is_a_warning(ready: Make, workspace: Workspace) -> None:
    project = ready()
    quiet = Drift(0.5, 0.51, 30, 30, None)
    workspace.store.set_setting(project.id, DRIFT, quiet.to_dict())
    assert not page("progress", "shapes").warning
    workspace.store.set_setting(project.id, DRIFT, Drift(0.002, 0.8, 30, 30, "they differ").to_dict())
    assert page("progress", "shapes").warning[0].value == "They differ."


def test_projects_stand_on_one_chart(ready: Make, workspace: Workspace) -> None:
    project, other = ready(), ready("other")
    for each in (project, other):
        measured(workspace, each.id)
    workspace.store.set_setting(
        project.id, STOPPING, advised(Verdict.GO_ON, Projection(50, 0.05, 0.01, 0.08)).to_dict()
    )
    app = page("progress", "shapes")
    assert [each.label for each in app.toggle] == [
        "Interval that holds at every look",
        "What the next labels may bring",
    ]
    app.toggle[0].set_value(True)
    app = app.multiselect[0].select("other").run()
    assert not app.exception
    drawn = app.get("plotly_chart")[0].proto.spec
    for name in ("other", "shapes", "Projected", "Holds at every look"):
        assert f'"name":"{name}"' in drawn


def test_strategies_stand_on_one_chart_under_their_names(ready: Make, workspace: Workspace) -> None:
    project, other = ready(), ready("other")
    for each in (project, other):
        measured(workspace, each.id)
    workspace.store.update_config(other.id, replace(other.config, strategy="random"))
    app = page("progress", "shapes").multiselect[0].select("other").run()
    drawn = app.get("plotly_chart")[0].proto.spec
    for name in ("other (random)", "shapes (auto)"):
        assert f'"name":"{name}"' in drawn


def test_an_accuracy_on_few_images_is_called_preliminary(ready: Make, workspace: Workspace) -> None:
    few, enough = ready(), ready("other")
    measured(workspace, few.id, PRELIMINARY_BELOW - 1)
    measured(workspace, enough.id, PRELIMINARY_BELOW)
    assert [each.label for each in page("progress", "shapes").metric][:2] == [
        "Labels",
        "Accuracy, preliminary",
    ]
    assert [each.label for each in page("progress", "other").metric][:2] == ["Labels", "Accuracy"]
