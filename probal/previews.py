"""Questions to the worker that belong to no job: what the model would say, before anything is committed. No torch.

A question is a file in the workspace, named by its content, and so is the answer: asked again, it is there at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from probal.workspace import Workspace

SHOWN = 12
"""Images of a preview before there is a project."""
SAMPLE = 200
"""Pool images on which other prompts are compared with those in use."""
TOP = 5
"""Images shown for each class, before and after."""
_KEPT = 50


@dataclass(frozen=True)
class GuessQuestion:
    """What does the model make of a few images of this folder?"""

    folder: str
    classes: tuple[str, ...]
    encoder: str
    template: str | None = None


@dataclass(frozen=True)
class PromptQuestion:
    """What would other prompts change in a project's zero-shot predictions?"""

    project: str
    prompts: tuple[tuple[int, str | None], ...]
    """(class id, prompt) of the classes in use, in their order."""
    before: tuple[tuple[int, str | None], ...]
    """The same as they are now, so that an answer is never taken for a later state's."""
    template: str | None = None
    """What is read for classes without a prompt; None for the encoder's own template."""
    template_before: str | None = None


Question = GuessQuestion | PromptQuestion
_KINDS = {each.__name__: each for each in (GuessQuestion, PromptQuestion)}


def ask(workspace: Workspace, question: Question) -> str:
    """Put a question to the worker, unless it was answered; the name under which the answer will lie."""
    text = json.dumps({"kind": type(question).__name__, **asdict(question)}, sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:24]
    folder = _folder(workspace)
    folder.mkdir(exist_ok=True)
    if not (folder / f"{name}.json").exists() and not (folder / f"{name}.ask").exists():
        _write(folder / f"{name}.ask", text)
    return name


def answer(workspace: Workspace, name: str) -> Mapping[str, Any] | None:
    """The answer; None while the worker has not given it. It holds `error`, a sentence, where there is none."""
    path = _folder(workspace) / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def forget(workspace: Workspace, name: str) -> None:
    """Delete an answer, so that the same question is looked into anew."""
    (_folder(workspace) / f"{name}.json").unlink(missing_ok=True)


def next_question(workspace: Workspace) -> tuple[str, Question] | None:
    """The latest question without an answer, with its name. Earlier ones are dropped: nobody looks at them now."""
    waiting = sorted(_folder(workspace).glob("*.ask"), key=lambda path: path.stat().st_mtime_ns)
    if not waiting:
        return None
    text = waiting[-1].read_text("utf-8")
    for path in waiting:
        path.unlink(missing_ok=True)
    fields = json.loads(text)
    kind = _KINDS[fields.pop("kind")]
    return waiting[-1].stem, kind(**{name: _tuples(value) for name, value in fields.items()})


def give(workspace: Workspace, name: str, found: Mapping[str, Any]) -> None:
    """Write the answer, and let go of the oldest ones."""
    folder = _folder(workspace)
    _write(folder / f"{name}.json", json.dumps(found))
    old = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)[:-_KEPT]
    for path in old:
        path.unlink(missing_ok=True)


def _folder(workspace: Workspace) -> Path:
    return workspace.path / "previews"


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
