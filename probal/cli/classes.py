"""`probal classes`: the classes of a project, and changing them while the labeling goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from probal.cli.console import out, print_json, say, table
from probal.cli.projects import JsonFlag, NameArgument
from probal.cli.shell import OneLineErrors, app, open_project
from probal.types import Role

if TYPE_CHECKING:
    from probal.classes import ClassEditor

classes = typer.Typer(cls=OneLineErrors, help="The classes of a project, and changing them mid-project.")
app.add_typer(classes, name="classes")

ClassArgument = Annotated[str, typer.Argument(metavar="CLASS", help="Name of the class.")]
Prompt = Annotated[
    str | None,
    typer.Option(help="What the encoder reads, {} for the name; else the project's template."),
]
Color = Annotated[str | None, typer.Option(help="Such as #3366cc.")]


def _editor(ctx: typer.Context, name: str) -> ClassEditor:
    from probal.classes import ClassEditor

    workspace, project = open_project(ctx, name)
    return ClassEditor(workspace.store, project)


@classes.command("list")
def list_(
    ctx: typer.Context,
    name: NameArgument,
    archived: Annotated[bool, typer.Option("--archived", help="Those put away too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """The classes in their order, with their labels."""
    editor = _editor(ctx, name)
    own = editor.project.id
    counts = editor.store.label_counts(own)
    labels = {
        each.id: sum(counts[role].get(each.id, 0) for role in (Role.POOL, Role.AUDIT))
        for each in editor.store.classes(own, archived=True)
    }
    known = editor.store.classes(own, archived)
    if as_json:
        print_json([{**asdict(each), "labels": labels[each.id]} for each in known])
        return
    names = {each.id: each.name for each in editor.store.classes(own, archived=True)}
    shown = table(name, "Class", "Key", "Labels", "Prompt", "", right=frozenset({"Labels"}))
    for each in known:
        note = "" if not each.archived else "archived"
        if each.merged_into is not None:
            note = f"merged into {names[each.merged_into]}"
        shown.add_row(each.name, each.key or "", f"{labels[each.id]:,}", each.prompt or "", note)
    out().print(shown)


@classes.command()
def add(
    ctx: typer.Context,
    name: NameArgument,
    class_name: ClassArgument,
    prompt: Prompt = None,
    color: Color = None,
) -> None:
    """A new class; an archived one of that name comes back instead."""
    _editor(ctx, name).add(class_name, prompt, color)
    say(f"{class_name} is a class of {name} now.")


@classes.command()
def rename(
    ctx: typer.Context,
    name: NameArgument,
    class_name: ClassArgument,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="Its name from now on.")],
    keep_prompt: Annotated[
        bool, typer.Option("--keep-prompt", help="The model goes on reading the old name.")
    ] = False,
) -> None:
    """Another name for a class; its labels stay."""
    _editor(ctx, name).rename(class_name, new_name, keep_prompt)
    say(f"{class_name} is called {new_name} now.")


@classes.command()
def prompt(
    ctx: typer.Context,
    name: NameArgument,
    class_name: ClassArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the encoder reads; '' for the template.")],
) -> None:
    """What the encoder reads for a class. `preview` says first what that changes."""
    _editor(ctx, name).prompt(class_name, text)
    say(
        f"The encoder reads {text!r} for {class_name} from the next round on."
        if text
        else "Back to the template."
    )


@classes.command()
def preview(
    ctx: typer.Context,
    name: NameArgument,
    class_name: ClassArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The prompt to try.")],
    as_json: JsonFlag = False,
) -> None:
    """What another prompt would change in the zero-shot predictions of 200 images of the pool; changes nothing."""
    editor = _editor(ctx, name)
    wanted = editor.checked_prompt(text)
    _preview(ctx, name, {editor.find(class_name).id: wanted}, editor.project.config.template, as_json)


@classes.command()
def template(
    ctx: typer.Context,
    name: NameArgument,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What is read, {} for the name; '' for the encoder's own.")
    ],
    preview: Annotated[
        bool, typer.Option("--preview", help="Say what it would change, and change nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """What the encoder reads for every class that has no prompt of its own."""
    editor = _editor(ctx, name)
    wanted = editor.checked_template(text)
    if preview:
        _preview(ctx, name, {}, wanted, as_json)
        return
    kept = editor.template(wanted).config.template
    say(f"The encoder reads {kept!r} from the next round on." if kept else "Back to the encoder's own.")


def _preview(
    ctx: typer.Context, name: str, prompts: Mapping[int, str | None], template: str | None, as_json: bool
) -> None:
    from probal.session.preview import prompt_effect
    from probal.session.vectors import ProjectVectors

    workspace, project = open_project(ctx, name)
    found = prompt_effect(ProjectVectors(workspace, project), project.config.seed, prompts, template)
    if as_json:
        print_json(found)
        return
    names = {each.id: each.name for each in workspace.store.classes(project.id)}
    out().print(f"{found['changed']} of {found['n']} images change their predicted class.", highlight=False)
    for each in found["classes"]:
        if each["before"] != each["after"]:
            line = f"  {names[each['class_id']]}: {each['before']} before, {each['after']} after"
            out().print(line, markup=False, highlight=False)


@classes.command()
def merge(
    ctx: typer.Context,
    name: NameArgument,
    class_name: ClassArgument,
    into: Annotated[str, typer.Argument(metavar="INTO", help="Class that the labels count for from now on.")],
) -> None:
    """Two classes become one: the labels of CLASS are read as labels of INTO. `undo` takes it back."""
    _editor(ctx, name).merge(class_name, into)
    say(f"Labels of {class_name} count as {into} now.")


@classes.command()
def archive(ctx: typer.Context, name: NameArgument, class_name: ClassArgument) -> None:
    """Put a class away; its labels are kept, and neither train nor measure."""
    _editor(ctx, name).archive(class_name)
    say(f"{class_name} is archived; probal classes restore brings it back.")


@classes.command()
def restore(ctx: typer.Context, name: NameArgument, class_name: ClassArgument) -> None:
    """Bring an archived or merged class back, with its labels."""
    _editor(ctx, name).restore(class_name)
    say(f"{class_name} is in use again.")


@classes.command()
def reopen(ctx: typer.Context, name: NameArgument, class_name: ClassArgument) -> None:
    """Take the labels of a class back, so that its images are labeled anew: to split it."""
    _editor(ctx, name).reopen(class_name)
    say(f"The images labeled {class_name} come up again.")


@classes.command()
def move(
    ctx: typer.Context,
    name: NameArgument,
    order: Annotated[list[str], typer.Argument(metavar="CLASS …", help="Classes in the order wanted.")],
) -> None:
    """Put classes first, in this order."""
    _editor(ctx, name).move(order)
    say("The order is changed.")


@classes.command()
def color(
    ctx: typer.Context,
    name: NameArgument,
    class_name: ClassArgument,
    value: Annotated[str, typer.Argument(metavar="COLOR", help="Such as #3366cc; '' for the labeler's own.")],
) -> None:
    """The color of a class."""
    _editor(ctx, name).recolor(class_name, value)
    say(f"The color of {class_name} is changed.")


@classes.command()
def key(
    ctx: typer.Context,
    name: NameArgument,
    class_name: ClassArgument,
    value: Annotated[str, typer.Argument(metavar="KEY", help="A digit or letter; '' for none.")],
) -> None:
    """The key that labels a class; who had it before has none then."""
    _editor(ctx, name).key(class_name, value)
    say(f"The key of {class_name} is changed.")


@classes.command()
def undo(ctx: typer.Context, name: NameArgument) -> None:
    """Take the last change of the classes back; again, the one before."""
    change = _editor(ctx, name).undo()
    say(f"Taken back: {change.kind}.")
