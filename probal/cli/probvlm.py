"""`probal probvlm`: train it, see what it says of the images, rank encoders by it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probal.cli.console import kept, out, print_json, progress_bar, say, table
from probal.cli.files import writable
from probal.cli.projects import JsonFlag, NameArgument
from probal.cli.shell import app, open_project
from probal.errors import UserError
from probal.label_import.captions import read_pairs_file

if TYPE_CHECKING:
    from PIL import Image

    from probal.session.ambiguity import Training

group = typer.Typer(help="What an image leaves open: train ProbVLM, list ambiguous images, rank encoders.")
app.add_typer(group, name="probvlm")

PairsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv", help="Images with captions besides the labels: path,caption."),
]
ImageArgument = Annotated[str, typer.Argument(metavar="IMAGE", help="Path of an image in the project.")]
SheetOption = Annotated[Path, typer.Option("--to", metavar="F", help="Picture to write: .png or .jpg.")]


@group.command()
def train(
    ctx: typer.Context, name: NameArgument, pairs: PairsOption = None, as_json: JsonFlag = False
) -> None:
    """Train on the labeled images with their prompts, and on captions; replaces the model there was."""
    captions = read_pairs_file(pairs) if pairs else []
    workspace, project = open_project(ctx, name)
    from probal.session.probvlm_training import train_probvlm

    with (
        kept(f"Nothing was changed; run probal probvlm train {name} again."),
        progress_bar("ProbVLM") as progress,
    ):
        found, left_out = train_probvlm(workspace, project, captions, progress)
    if left_out:
        say(f"{left_out} captions of audit or test images left out: those only measure.")
    if as_json:
        print_json(_facts(found.training))
        return
    _print_training(name, found.training)
    say(f"Next: probal probvlm ambiguous {name}, or probal next {name} --strategy probvlm")


@group.command()
def show(ctx: typer.Context, name: NameArgument, as_json: JsonFlag = False) -> None:
    """What the project's ProbVLM was trained on and how well its intervals hold."""
    workspace, project = open_project(ctx, name)
    from probal.session.ambiguity import trained_probvlm
    from probal.session.vectors import ProjectVectors

    found = trained_probvlm(ProjectVectors(workspace, project), workspace, project)
    if as_json:
        print_json(_facts(found.training))
    else:
        _print_training(name, found.training)


@group.command()
def ambiguous(
    ctx: typer.Context,
    name: NameArgument,
    n: Annotated[int, typer.Option("-n", min=1, help="How many images at most.")] = 20,
    share: Annotated[
        float,
        typer.Option(help="Share of ordinary images that may be flagged by mistake, above 0 and below 1."),
    ] = 0.1,
    as_json: JsonFlag = False,
) -> None:
    """The images flagged as ambiguous in themselves, the most ambiguous first."""
    workspace, project = open_project(ctx, name)
    from probal.session.ambiguity import ambiguous_images

    found = ambiguous_images(workspace, project, share)
    flagged = [each for each in found if each.flagged]
    rows = [
        {
            "path": each.image.path,
            "content_hash": each.image.content_hash,
            "ambiguity": each.ambiguity,
            "percentile": each.percentile,
        }
        for each in flagged[:n]
    ]
    if as_json:
        print_json({"images": len(found), "flagged": len(flagged), "share": share, "rows": rows})
        return
    title = f"{name}: {len(flagged)} of {len(found)} images flagged as ambiguous"
    shown = table(title, "image", "ambiguity", "percentile", right=frozenset({"ambiguity", "percentile"}))
    for each in flagged[:n]:
        shown.add_row(each.image.path, f"{each.ambiguity:.3g}", f"{each.percentile:.0f}")
    out().print(shown)


@group.command("select-model")
def select_model(
    ctx: typer.Context,
    name: NameArgument,
    encoders: Annotated[str, typer.Option(help="Encoder ids, separated by commas.")],
    pairs: PairsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Rank encoders for the unlabeled pool: first the one whose uncertainty changes the fewest answers."""
    captions = read_pairs_file(pairs) if pairs else []
    names = [each.strip() for each in encoders.split(",") if each.strip()]
    workspace, project = open_project(ctx, name)
    from probal.session.probvlm_training import rank_for_pool

    with kept("The vectors computed so far are kept."), progress_bar("Ranking encoders") as progress:
        ranked = rank_for_pool(workspace, project, names, captions, progress)
    if as_json:
        print_json(
            [
                {
                    "encoder": each.encoder,
                    "spread": each.spread,
                    "error": each.error,
                    "noise_to_signal": each.noise_to_signal,
                }
                for each in ranked
            ]
        )
        return
    shown = table(
        f"{name}: encoders, the steadiest first", "", "encoder", "answers that change", "±", "noise / signal",
        right=frozenset({"", "answers that change", "±", "noise / signal"}),
    )  # fmt: skip
    for rank, each in enumerate(ranked, start=1):
        numbers = f"{each.spread:.1%}", f"{1.96 * each.error:.1%}", f"{each.noise_to_signal:.3f}"
        shown.add_row(str(rank), each.encoder, *numbers)
    out().print(shown)


@group.command()
def neighbours(
    ctx: typer.Context,
    name: NameArgument,
    image: ImageArgument,
    to: SheetOption,
    n: Annotated[int, typer.Option("-n", min=1, help="How many neighbours at most.")] = 9,
    as_json: JsonFlag = False,
) -> None:
    """A picture of an image's distribution: the pool's images nearest to samples of it."""
    _picture_name(to)
    workspace, project = open_project(ctx, name)
    from probal.session.distribution_pictures import neighbour_sheet
    from probal.session.distribution_pictures import neighbours as find

    found, nearest = find(workspace, project, image)
    _save(neighbour_sheet(project, found, nearest[:n]), to)
    if as_json:
        print_json(
            [{"path": each.image.path, "share": each.share, "cosine": each.cosine} for each in nearest[:n]]
        )
    say(f"{min(n, len(nearest))} of {len(nearest)} neighbours of {found.path} written to {to}")


@group.command()
def diffuse(
    ctx: typer.Context,
    name: NameArgument,
    image: ImageArgument,
    to: SheetOption,
    pipeline: Annotated[
        str, typer.Option(metavar="DIR|REPO", help="Image-variation pipeline of diffusers for this encoder.")
    ],
    n: Annotated[int, typer.Option("-n", min=1, help="How many samples.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Denoising steps.")] = 30,
) -> None:
    """A picture of an image's distribution by latent diffusion from samples of it (extra `diffusion`)."""
    _picture_name(to)
    workspace, project = open_project(ctx, name)
    from probal.session.distribution_pictures import contact_sheet, diffused, load_pipeline

    pictures = diffused(workspace, project, image, load_pipeline(pipeline), n, steps)
    texts = ["its embedding", *(f"sample {i}" for i in range(1, n + 1))]
    _save(contact_sheet(list(zip(pictures, texts, strict=True))), to)
    say(f"{n} samples around {image} written to {to}")


def _facts(training: Training) -> dict[str, object]:
    """What a script may want of a training; the scale of the pool stays inside."""
    from dataclasses import asdict

    return {key: value for key, value in asdict(training).items() if key not in ("quantiles", "file")}


def _print_training(name: str, training: Training) -> None:
    shown = table(f"{name}: ProbVLM", "", "")
    shown.show_header = False
    shown.add_row("trained on", f"{training.labels} labeled images, {training.captions} captions")
    shown.add_row("different texts", str(training.texts))
    shown.add_row("held out", f"{training.held_out} pairs")
    shown.add_row("chosen", f"epoch {training.epoch}, held-out NLL {training.nll:.3f} per dimension")
    shown.add_row("intervals", f"{training.calibration_error:.1%} off their level on average, held out")
    shown.add_row("encoder", training.encoder)
    out().print(shown)


def _picture_name(to: Path) -> None:
    if to.suffix.lower() not in {".png", ".jpg", ".jpeg"}:
        raise UserError(f"--to {to}: the name must end in .png or .jpg")
    writable(to)


def _save(sheet: Image.Image, to: Path) -> None:
    partial = to.with_name(f".{to.stem}.partial{to.suffix}")
    sheet.save(partial)
    partial.replace(to)
