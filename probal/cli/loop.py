"""`probal embed`, `next` and `label`: the loop in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probal.cli.console import kept, out, print_json, progress_bar, say, table
from probal.cli.projects import JsonFlag, NameArgument
from probal.cli.shell import app, open_project
from probal.cli.work import work_off
from probal.errors import UserError
from probal.types import JobKind

if TYPE_CHECKING:
    from probal.types import Project, Proposal
    from probal.workspace import Workspace

DEFAULT_COUNT = 20
GUESSES = 3
"""Likeliest classes shown per image."""


class DistanceChoice(StrEnum):
    """How near two images are; the names are the engine's, which would load torch."""

    cosine = "cosine"
    wasserstein = "wasserstein"


@app.command()
def embed(ctx: typer.Context, name: NameArgument) -> None:
    """Scan the folder, embed what is new and propose the first batch; goes on where it was stopped."""
    from probal.labeling import status

    workspace, project = open_project(ctx, name)
    workspace.store.enqueue(project.id, JobKind.PREPARE)
    on_stop = f"The vectors computed so far are kept; probal embed {name} goes on from there."
    work_off(workspace, project, "Preparing", on_stop)
    found = status(workspace.store, project)
    counts = ", ".join(f"{n:,} {state}" for state, n in found.images.items() if n)
    held = f"{found.test_labeled} test" if found.test_labeled else f"{found.audit_total} audit"
    say(f"Embedded: {counts} ({held}). Next: probal next {name}, or label in the browser: probal serve.")


@app.command("next")
def next_(
    ctx: typer.Context,
    name: NameArgument,
    n: Annotated[int, typer.Option("-n", min=1, help="How many images.")] = DEFAULT_COUNT,
    strategy: Annotated[
        str | None, typer.Option(help="Strategy instead of the project's, such as random.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Folder of unlabeled images, or a project, whose predictions the labels are to help."
        ),
    ] = None,
    distance: Annotated[
        DistanceChoice, typer.Option(help="How the pool's images near the target are found.")
    ] = DistanceChoice.cosine,
    neighbours: Annotated[int, typer.Option(min=1, help="Pool images looked at for each target image.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """What to label next, best first, and why."""
    from probal import validate

    if strategy is not None:
        validate.strategy(strategy)
    workspace, project = open_project(ctx, name)
    work_off(workspace, project, "Preparing", f"Run probal next {name} again to go on.")
    if target is None:
        proposals = _open_proposals(workspace, project, n, strategy or project.config.strategy)
        if proposals is None:
            from probal.session import Session

            proposals = Session(workspace, name).propose(n, strategy)
    else:
        proposals = _aimed(workspace, project, n, strategy, target, distance, neighbours)
    rows = _described(workspace, project, proposals)
    if as_json:
        print_json(rows)
    else:
        _print_proposals(name, rows)


@app.command()
def label(
    ctx: typer.Context,
    name: NameArgument,
    labels: Annotated[Path, typer.Argument(metavar="labels.csv", help="path (or content_hash), label.")],
    annotator: Annotated[str, typer.Option(help="Whose labels these are.")] = "csv",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file, store nothing.")] = False,
) -> None:
    """Store the labels of a CSV, all of them or none, and refit; the same file twice is stored once."""
    from probal import labeling, validate
    from probal.label_import import label_events, read_labels_file, resolve

    workspace, project = open_project(ctx, name)
    annotator = validate.annotator(annotator)
    file = read_labels_file(labels)
    images = workspace.store.images(project.id)
    if not images:
        raise UserError(f"the images of {name} have not been read yet: run probal embed {name} first")
    root = Path(project.config.image_root or "")
    classes = workspace.store.classes(project.id)
    resolved = resolve(file, images, classes, root)
    key = f"{project.id}/{project.created_at.isoformat()}"
    events = label_events(key, resolved, images, file.digest, annotator)
    known = {stored.event.event_id for stored in workspace.store.events(project.id)}
    new = [event for event in events if event.event_id not in known]
    told = f"{len(new)} new labels, {len(events) - len(new)} stored already" + (
        f", {file.unlabeled} rows without one" if file.unlabeled else ""
    )
    if dry_run:
        say(f"{told}. Nothing was stored (--dry-run).")
        return
    result = labeling.record(workspace.store, project, new, require_lease=False)
    if result.rejected:
        _, reason = result.rejected[0]
        raise UserError(f"{len(result.accepted)} labels stored, {len(result.rejected)} rejected: {reason}")
    say(f"{told}.")
    if new:
        workspace.store.enqueue(project.id, JobKind.REFIT)
    work_off(workspace, project, "Refitting", "The labels are stored; the refit runs at the next command.")
    _say_accuracy(workspace, project)


def _aimed(
    workspace: Workspace,
    project: Project,
    n: int,
    strategy: str | None,
    where: str,
    distance: DistanceChoice,
    neighbours: int,
) -> list[Proposal]:
    """Proposals about a target: those of the latest round if it was the same question, else a new round's."""
    from probal.posterior import Distance
    from probal.session import Session
    from probal.session.target import TARGET_STRATEGY

    session = Session(workspace, project.name)
    with kept("The target's vectors computed so far are kept."), progress_bar("Reading the target") as report:
        aim = session.aim(where, Distance(distance), neighbours, report)
        report(0, 0, "Choosing the next images")
        found = _open_proposals(workspace, project, n, strategy or TARGET_STRATEGY, aim.facts())
        proposals = session.propose(n, strategy, aim) if found is None else found
    used = f", {len(aim.items):,} of them used" if len(aim.items) < aim.total else ""
    say(f"About {aim.total:,} images of {aim.name}{used}; their labels are never asked for.")
    if aim.skipped:
        say(f"{aim.skipped} files of the target could not be read and were left out.")
    return proposals


def _open_proposals(
    workspace: Workspace,
    project: Project,
    n: int,
    strategy: str,
    target: Mapping[str, Any] | None = None,
) -> list[Proposal] | None:
    """The latest round's unanswered proposals, if there are `n` of them and another round would ask the same:
    the labels so far, this strategy, the target of these facts, the posterior in use."""
    store = workspace.store
    latest = store.latest_round(project.id)
    if latest is None or store.changed_labels(project.id, latest.event_watermark):
        return None
    before = latest.config.get("target")
    same_target = before == target if target is None or before is None else target.items() <= before.items()
    posterior = store.get_setting(project.id, "posterior")  # probal.session.posterior_files, without torch
    used = posterior["id"] if posterior and posterior["on"] else None
    if latest.strategy != strategy or not same_target or latest.config.get("posterior") != used:
        return None
    answered = {label.image_id for label in store.current_labels(project.id)}
    answered |= set(store.flagged_images(project.id))
    unanswered = [item for item in store.proposals(latest.id) if item.image_id not in answered]
    return unanswered[:n] if len(unanswered) >= n else None


def _described(workspace: Workspace, project: Project, proposals: Sequence[Proposal]) -> list[dict[str, Any]]:
    """Proposals with names and paths in the place of ids, as JSON-able rows."""
    # a round may be older than a change of the classes
    names = {each.id: each.name for each in workspace.store.classes(project.id, archived=True)}
    images = {image.id: image for image in workspace.store.images(project.id)}

    def path(image_id: int | None) -> str | None:
        return images[image_id].path if image_id is not None else None

    return [
        {
            "rank": rank,
            "path": path(item.image_id),
            "content_hash": images[item.image_id].content_hash,
            "predicted": [[names[class_id], p] for class_id, p in item.predicted],
            "strategy": item.reason.strategy,
            "phase": item.reason.phase,
            "score": item.reason.score,
            "total": item.reason.total,
            "aleatoric": item.reason.aleatoric,
            "epistemic": item.reason.epistemic,
            "contested": [[names[class_id], p] for class_id, p in item.reason.contested],
            "cluster": item.reason.cluster,
            "nearest_labeled": path(item.reason.nearest_labeled),
            "nearest_similarity": item.reason.nearest_similarity,
            "target": item.reason.target,
            "ambiguity": item.reason.ambiguity,
            "ambiguity_percentile": item.reason.ambiguity_percentile,
        }
        for rank, item in enumerate(proposals, start=1)
    ]


def _print_proposals(name: str, rows: Sequence[dict[str, Any]]) -> None:
    numbers = frozenset({"", "total", "aleatoric", "epistemic"})
    shown = table(
        f"{name}: label these next (uncertainties in nats)",
        "", "image, likeliest classes, phase", "total", "aleatoric", "epistemic",
        right=numbers,
    )  # fmt: skip
    for row in rows:
        guesses = ", ".join(f"{guess}: {p:.0%}" for guess, p in row["predicted"][:GUESSES])
        shown.add_row(
            str(row["rank"]),
            f"{row['path']}\n{guesses} · {row['phase']}",  # one column: a path cut into pieces cannot be copied
            *(f"{row[key]:.3f}" for key in ("total", "aleatoric", "epistemic")),
        )
    out().print(shown)


def _say_accuracy(workspace: Workspace, project: Project) -> None:
    from probal.cli.projects import accuracy_line
    from probal.labeling import status

    accuracy = status(workspace.store, project).metrics.get("accuracy")
    say(
        f"Accuracy {accuracy_line(accuracy)}." if accuracy else "Not measured yet: no audit image is labeled."
    )
