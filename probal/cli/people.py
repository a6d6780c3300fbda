"""`probal people`: who labels, how fast, how far they agree, and how many images are labeled more than once."""

from __future__ import annotations

from typing import Annotated

import typer

from probal.cli.console import out, print_json, say, table
from probal.cli.projects import JsonFlag, NameArgument
from probal.cli.shell import app, open_project


@app.command()
def people(
    ctx: typer.Context,
    name: NameArgument,
    share: Annotated[
        float | None, typer.Option(help="Share of the pool (0 to 1) that several people label from now on.")
    ] = None,
    annotators: Annotated[int | None, typer.Option(help="How many people label each of those.")] = None,
    repeats: Annotated[
        float | None, typer.Option(help="Share of a person's own images that come back to them once, blind.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Who labels, how fast and how far they agree; with an option, how many images are labeled more than once."""
    from probal import people as people_of

    workspace, project = open_project(ctx, name)
    store = workspace.store
    now = store.overlap(project.id)
    if (share, annotators, repeats) != (None, None, None):
        now = people_of.set_overlap(
            store,
            project,
            now.share if share is None else share,
            now.annotators if annotators is None else annotators,
            now.repeats if repeats is None else repeats,
        )
        say(
            f"{now.share:.0%} of the pool is labeled by {now.annotators} people each, and {now.repeats:.0%} of a "
            "person's own images come back to them."
        )
    found = people_of.report(store, project)
    if as_json:
        print_json(people_of.as_json(store, project, found))
        return
    if not found.people:
        out().print("Nobody has labeled yet.")
        return
    right = frozenset({"Labeled", "An hour", "Skips", "Flags", "Same again"})
    shown = table(name, "Person", "Labeled", "An hour", "Skips", "Flags", "Same again", right=right)
    for each in found.people:
        again = "–" if each.repeats is None else f"{each.repeats.same} of {each.repeats.n}"
        hour = "–" if each.per_hour is None else f"{each.per_hour:,.0f}"
        shown.add_row(each.name, f"{each.images:,}", hour, str(each.skips), str(each.flags), again)
    out().print(shown)
    for pair in found.pairs:
        kappa = "undefined" if pair.kappa is None else f"{pair.kappa:.2f}"
        out().print(
            f"{pair.first} and {pair.second}: {pair.percent.same} of {pair.percent.n} alike, Cohen's kappa {kappa}",
            markup=False,
            highlight=False,
        )
    if found.shared:
        alpha = "undefined" if found.alpha is None else f"{found.alpha:.2f}"
        out().print(f"Krippendorff's alpha over {found.shared} images: {alpha}", highlight=False)
    if found.disputes:
        out().print(f"{len(found.disputes)} images wait for a decision on the People page.", highlight=False)
