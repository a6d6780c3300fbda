"""`probal posterior`: BayesVLM's posterior of a project's two towers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probal.cli.console import kept, out, print_json, progress_bar, say, table
from probal.cli.projects import JsonFlag, NameArgument
from probal.cli.shell import app, open_project
from probal.label_import.captions import read_pairs_file
from probal.validate import PSEUDO_COUNT

if TYPE_CHECKING:
    from probal.session.posterior_facts import PosteriorFacts, TowerFacts
    from probal.session.posterior_files import ProjectPosterior
    from probal.session.prepare import Report
    from probal.types import Project
    from probal.workspace import Workspace

HONEST = (
    "Measured, a posterior from an unlabeled pool predicts no better than the plain model with a temperature, and "
    "its noise follows the distance to the pool's mean more than the error (docs/bayesvlm.md). It is off by default."
)

group = typer.Typer(
    no_args_is_help=True, help="BayesVLM: uncertainty of the encoder's last layers, off by default."
)
app.add_typer(group, name="posterior")


class DampingChoice(StrEnum):
    """How the prior precision enters; the names are the engine's, which would load torch."""

    exact = "exact"
    factored = "factored"


DampingOption = Annotated[
    DampingChoice, typer.Option(help="exact: τ A⊗B + λI. factored: the paper's (√τA + √λI)⊗(√τB + √λI).")
]


@group.command()
def estimate(
    ctx: typer.Context,
    name: NameArgument,
    pairs: Annotated[
        Path | None, typer.Option(help="CSV of path,caption to measure on, in place of the unlabeled pool.")
    ] = None,
    pseudo_count: Annotated[
        float, typer.Option(help="Images that the unlabeled pool is worth; of no effect with --pairs.")
    ] = PSEUDO_COUNT,
    damping: DampingOption = DampingChoice.exact,
) -> None:
    """Estimate a posterior from the unlabeled pool, or from captioned images, and use it from the next round on."""

    captions = read_pairs_file(pairs) if pairs else []

    def made(workspace: Workspace, project: Project, report: Report) -> ProjectPosterior:
        from probal.posterior import Damping
        from probal.session.estimate import estimator_of
        from probal.session.text_pairs import caption_pairs

        estimator = estimator_of(workspace, project)
        if pairs is None:
            return estimator.label_free(Damping(damping), pseudo_count, report)
        known, left_out = caption_pairs(workspace.store, project, captions)
        if left_out:
            say(f"{left_out} captions of audit or test images left out: those only measure.")
        return estimator.pairs(known, pairs, Damping(damping), report)

    _make(ctx, name, made)


@group.command("import")
def import_(
    ctx: typer.Context,
    name: NameArgument,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder that BayesVLM's authors publish for this model.")
    ],
    damping: DampingOption = DampingChoice.exact,
) -> None:
    """Take over published factors of this very model, and use them from the next round on."""

    def made(workspace: Workspace, project: Project, report: Report) -> ProjectPosterior:
        from probal.posterior import Damping
        from probal.session.estimate import estimator_of

        report(0, 0, "Reading the published factors")
        return estimator_of(workspace, project).published(directory, Damping(damping))

    _make(ctx, name, made)


@group.command()
def show(ctx: typer.Context, name: NameArgument, as_json: JsonFlag = False) -> None:
    """What the posterior is made from, its numbers, and what it changes in the predictions."""
    workspace, project = open_project(ctx, name)
    from probal.session.posterior_facts import describe

    with progress_bar("Comparing with the plain model"):
        found = describe(workspace, project)
    if as_json:
        print_json(asdict(found))
    else:
        _print(project, found)


@group.command()
def on(ctx: typer.Context, name: NameArgument) -> None:
    """Use the project's posterior again, from the next round on."""
    _switch(ctx, name, True)
    say(f"The posterior of {name} is used from the next round on.")


@group.command()
def off(ctx: typer.Context, name: NameArgument) -> None:
    """Go back to the plain model from the next round on; the posterior is kept."""
    _switch(ctx, name, False)
    say(f"The posterior of {name} is no longer used; probal posterior on {name} takes it back.")


@group.command()
def remove(ctx: typer.Context, name: NameArgument) -> None:
    """Delete the posterior and go back to the plain model; rounds proposed with it can no longer be replayed."""
    workspace, project = open_project(ctx, name)
    from probal.session import posterior_files

    posterior_id = posterior_files.remove(workspace, project)
    rounds = [
        each.index
        for each in workspace.store.rounds(project.id)
        if each.config.get("posterior") == posterior_id
    ]
    told = f" {len(rounds)} rounds were proposed with it and can no longer be replayed." if rounds else ""
    say(f"The posterior of {name} is gone.{told}")


def _switch(ctx: typer.Context, name: str, on: bool) -> None:
    workspace, project = open_project(ctx, name)
    from probal.session import posterior_files

    posterior_files.switch(workspace, project, on)


def _make(
    ctx: typer.Context, name: str, how: Callable[[Workspace, Project, Report], ProjectPosterior]
) -> None:
    workspace, project = open_project(ctx, name)
    from probal.session import posterior_files

    with (
        kept("The posterior is as it was; activations computed so far are kept."),
        progress_bar("Loading the encoder") as report,
    ):
        record = posterior_files.save(workspace, project, how(workspace, project, report))
    say(f"Posterior {record.id} of {name}, {_origin(record.source, record.count, record.pseudo_count)}.")
    say(f"It is used from the next round on. {HONEST}")
    say(f"probal posterior show {name} says what it changes, probal posterior off {name} goes back.")


def _origin(source: str, count: float, pseudo_count: float) -> str:
    if source == "label-free":
        return f"from {count:,.0f} unlabeled images, counted as {pseudo_count:,.0f}"
    return f"{'published, ' if source == 'published' else ''}from {count:,.0f} image-caption pairs"


def _print(project: Project, found: PosteriorFacts) -> None:
    record, effect = found.record, found.effect
    shown = table(f"{project.name} · posterior {record.id}", "", "image tower", "text tower")
    rows: list[tuple[str, Callable[[TowerFacts], str]]] = [
        ("damping", lambda tower: tower.damping),
        ("λ", lambda tower: f"{tower.prior_precision:.4g}"),
        ("τ", lambda tower: f"{tower.tau:g}"),
        ("counted", lambda tower: f"{tower.count:,.0f}"),
        ("weights", lambda tower: f"{tower.columns} × {tower.width}, uncertain in {tower.uncertain}"),
        ("noise/signal", lambda tower: "{1:.3g} ({0:.3g} to {2:.3g})".format(*tower.noise)),
    ]
    for label, cell in rows:
        shown.add_row(label, cell(found.image), cell(found.text))
    console = out()
    console.print(shown)
    state = "in use" if found.on else "not in use"
    console.print(
        f"{state}; made {_origin(record.source, record.count, record.pseudo_count)}, {record.created_at}"
    )
    if record.origin is not None:
        console.print(f"from {record.origin}", soft_wrap=True, markup=False)
    loss = "InfoNCE" if record.loss == "infonce" else f"SigLIP, bias {record.bias:.3g}"
    console.print(f"encoder {record.encoder}, {loss}, logit scale {record.scale:.3g}", markup=False)
    console.print(
        f"{found.labels} labeled images add their own curvature; {len(found.rounds)} rounds used it"
    )
    console.print(
        f"on {effect.images} pool images: {effect.changed} change class; mean confidence "
        f"{effect.confidence[0]:.3f} plain, {effect.confidence[1]:.3f} with it; epistemic "
        f"{effect.epistemic[0]:.4f} nats plain, {effect.epistemic[1]:.4f} with it"
    )
    if found.prompts_changed:
        console.print("Classes or prompts have changed since: consider probal posterior estimate again.")
    console.print(HONEST)
