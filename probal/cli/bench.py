"""`probal bench`: how long the parts of the loop take on this machine, on drawn data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probal import validate
from probal.cli.console import kept, out, progress_bar, say, table
from probal.cli.files import writable
from probal.cli.shell import app
from probal.errors import UserError

if TYPE_CHECKING:
    from probal.cli.bench_measure import Tell, Timing

group = typer.Typer(no_args_is_help=True, help="How long the parts of the loop take on this machine.")
app.add_typer(group, name="bench")

JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="OUT", help="Write every repeat's seconds here.")
]
RepeatsOption = Annotated[int, typer.Option(min=1, help="Runs timed, after one to warm up.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the drawn data.")]
ImagesOption = Annotated[int, typer.Option(min=1, help="Images, N.")]
ClassesOption = Annotated[int, typer.Option(min=2, help="Classes, C.")]
WidthOption = Annotated[int, typer.Option(min=2, help="Width of the vectors, D.")]
LabelsOption = Annotated[int, typer.Option(min=1, help="Labels, n.")]


@group.command()
def embed(
    encoder: Annotated[str, typer.Option(help="Encoder, as of probal init.")] = "embedded",
    images: ImagesOption = 64,
    repeats: RepeatsOption = 3,
    seed: SeedOption = 0,
    json_to: JsonOption = None,
) -> None:
    """Image files to stored vectors: decoding, the tower, and both side by side."""
    settings = {"encoder": encoder, "images": images}
    _bench(
        "embed",
        settings,
        repeats,
        seed,
        json_to,
        lambda m, tell: m.embed(encoder, images, repeats, seed, tell),
    )


@group.command()
def score(
    images: ImagesOption = 20_000,
    classes: ClassesOption = 100,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the noise that the classes share, R.")] = 64,
    repeats: RepeatsOption = 3,
    seed: SeedOption = 0,
    json_to: JsonOption = None,
) -> None:
    """Entropy, margin and BALD of a pool's logits."""
    settings = {"images": images, "classes": classes, "rank": rank}
    _bench(
        "score", settings, repeats, seed, json_to,
        lambda m, tell: m.score(images, classes, rank, repeats, seed, tell),
    )  # fmt: skip


@group.command()
def update(
    labels: LabelsOption = 500,
    classes: ClassesOption = 100,
    width: WidthOption = 768,
    adapter: Annotated[str, typer.Option(help="Adapter that learns from the labels.")] = "bayes",
    repeats: RepeatsOption = 5,
    seed: SeedOption = 0,
    json_to: JsonOption = None,
) -> None:
    """A refit on all labels so far, hyperparameters chosen anew."""
    validate.adapter(adapter)
    settings = {"labels": labels, "classes": classes, "width": width, "adapter": adapter}
    _bench(
        "update", settings, repeats, seed, json_to,
        lambda m, tell: m.update(labels, classes, width, adapter, repeats, seed, tell),
    )  # fmt: skip


@group.command()
def propose(
    strategy: Annotated[str, typer.Option(help="Strategy that chooses.")] = "auto",
    images: ImagesOption = 20_000,
    classes: ClassesOption = 100,
    width: WidthOption = 512,
    labels: LabelsOption = 200,
    n: Annotated[int, typer.Option("-n", min=1, help="Images to choose, B.")] = 10,
    repeats: RepeatsOption = 3,
    seed: SeedOption = 0,
    json_to: JsonOption = None,
) -> None:
    """The next batch from a pool: its logits, and the choice."""
    validate.untrained_strategy(strategy, "drawn data")
    if images - labels < n:
        raise UserError(f"{labels} labels leave {images - labels} of {images} images to choose {n} from")
    settings = {
        "strategy": strategy, "images": images, "classes": classes, "width": width, "labels": labels, "batch": n,
    }  # fmt: skip
    _bench(
        "propose", settings, repeats, seed, json_to,
        lambda m, tell: m.propose(strategy, images, classes, width, n, labels, repeats, seed, tell),
    )  # fmt: skip


def _bench(
    name: str,
    settings: dict[str, Any],
    repeats: int,
    seed: int,
    json_to: Path | None,
    measure: Callable[[Any, Tell], list[Timing]],
) -> None:
    if json_to is not None:
        writable(json_to)
    with kept("Nothing was written."), progress_bar(f"Timing {name}") as progress:
        from probal.cli import bench_measure

        facts = bench_measure.machine()
        timings = measure(bench_measure, lambda what: progress(0, 0, what))
    shown = table(
        f"bench {name} · " + ", ".join(f"{key} {value}" for key, value in settings.items()),
        "", "median", "fastest", "slowest", "a second",
        right=frozenset({"median", "fastest", "slowest", "a second"}),
    )  # fmt: skip
    shown.caption = (
        f"{facts['cpu']}, {facts['cores']} cores at load {facts['load']}, {facts['torch_threads']} threads, "
        f"torch {facts['torch']}; {repeats} runs after one to warm up, seed {seed}"
    )
    for each in timings:
        row = (each.median, min(each.seconds), max(each.seconds))
        shown.add_row(each.name, *(_seconds(value) for value in row), f"{each.items / each.median:,.3g}")
    out().print(shown)
    if json_to is not None:
        result = {
            "bench": name,
            "settings": settings,
            "repeats": repeats,
            "seed": seed,
            "machine": facts,
            "timings": [each.as_json() for each in timings],
        }
        json_to.write_text(json.dumps(result, indent=2), "utf-8")
        say(f"Timings written to {json_to}")


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.1f} ms"
