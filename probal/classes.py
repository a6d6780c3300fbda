"""Changing a project's classes while the labeling goes on; needs no model and no torch.

Every change is one record that `undo` takes back, the last one first. One that the model can feel asks for a refit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from probal import labeling, validate
from probal.encoders.vectors import PREFIX as VECTORS
from probal.errors import UserError
from probal.store import Store
from probal.store.classes import ClassChange, Edits
from probal.types import ClassInfo, Event, EventKind, JobKind, Project

SILENT = frozenset({"recolor", "key", "rename-keep", "move"})
"""Kinds of change that no model can feel."""
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class ClassEditor:
    """The classes of one project, as pages and the command line change them. UserError for what does not fit."""

    store: Store
    project: Project

    def find(self, name: str) -> ClassInfo:
        """The class of this name, archived ones too."""
        return _find(self.store.classes(self.project.id, archived=True), name)

    def add(self, name: str, prompt: str | None = None, color: str | None = None) -> ClassChange:
        """A new class at the end; an archived one of that name comes back instead."""
        text, color = self.checked_prompt(prompt), _color(color)

        def decide(known: list[ClassInfo], _: int) -> Edits:
            cleaned = validate.clean(name)
            old = next((each for each in known if each.name == cleaned and each.archived), None)
            if old is not None:
                return _restored(known, old)
            _check_name(known, name)
            if len([each for each in known if not each.archived]) >= validate.MAX_CLASSES:
                raise UserError(f"{validate.MAX_CLASSES} classes are in use, and no more are possible")
            position = 1 + max((each.order for each in known), default=-1)
            row = {
                "name": cleaned,
                "prompt": text,
                "key": _free_key(known, cleaned),
                "position": position,
                "archived": False,
                "color": color,
            }
            return Edits(new=[row])

        return self._change("add", decide)

    def rename(self, name: str, new_name: str, keep_prompt: bool = False) -> ClassChange:
        """Another name for the same class; its labels stay.

        Args:
            keep_prompt: the model goes on reading the old name, so that no prediction moves.
        """

        def decide(known: list[ClassInfo], _: int) -> Edits:
            each = _find(known, name)
            _check_name([other for other in known if other.id != each.id], new_name)
            values: dict[str, Any] = {"name": validate.clean(new_name)}
            if keep_prompt:
                values["prompt"] = (each.prompt or self._template()).replace("{}", each.name)
            return Edits(changed={each.id: values})

        return self._change("rename-keep" if keep_prompt else "rename", decide)

    def prompt(self, name: str, text: str | None) -> ClassChange:
        """What the encoder reads for the class; `{}` in it is the name, None the project's template."""
        text = self.checked_prompt(text)
        return self._change(
            "prompt", lambda known, _: Edits(changed={_find(known, name).id: {"prompt": text}})
        )

    def template(self, text: str | None) -> Project:
        """What the encoder reads for every class without a prompt of its own; None for the encoder's own template.

        Not on record with the other changes: the one before is back when it is given again.
        """
        config = replace(self.project.config, template=self.checked_template(text))
        if config != self.project.config:
            self.store.update_config(self.project.id, config)
            self._ask_for_refit("template")
        return replace(self.project, config=config)

    def checked_prompt(self, text: str | None) -> str | None:
        """The prompt as it would be kept. UserError where it is too long, and where no encoder would read it."""
        text = validate.prompt(text)
        if text is not None:
            self._check_encoder()
        return text

    def checked_template(self, text: str | None) -> str | None:
        """The template as it would be kept. UserError where it is none, and where no encoder would read it."""
        self._check_encoder()
        return validate.template((text or "").strip() or None)

    def _check_encoder(self) -> None:
        if self.project.config.encoder.startswith(VECTORS):
            raise UserError(f"{self.project.name!r} has vectors from a file, so no encoder reads a prompt")

    def merge(self, name: str, into: str) -> ClassChange:
        """Read every label of one class as one of another, and put the first away."""

        def decide(known: list[ClassInfo], _: int) -> Edits:
            source, target = _find(known, name), _find(known, into)
            if source.id == target.id:
                raise UserError(f"{source.name!r} cannot be merged into itself: name another class")
            for each in (source, target):
                if each.archived:
                    raise UserError(f"the class {each.name!r} is archived: restore it first")
            _check_left(known, source)
            moved = {each.id for each in known if each.merged_into == source.id}
            put_away = {"archived": True, "key": None, "merged_into": target.id}
            return Edits(changed={source.id: put_away, **{i: {"merged_into": target.id} for i in moved}})

        return self._change("merge", decide)

    def archive(self, name: str) -> ClassChange:
        """Put a class away: its labels stay on record and neither train, measure nor leave in an export."""

        def decide(known: list[ClassInfo], _: int) -> Edits:
            each = _find(known, name)
            if each.archived:
                raise UserError(f"the class {each.name!r} is archived already")
            _check_left(known, each)
            return Edits(changed={each.id: {"archived": True, "key": None}})

        return self._change("archive", decide)

    def restore(self, name: str) -> ClassChange:
        """Bring an archived or merged class back with the labels that were given for it."""

        def decide(known: list[ClassInfo], _: int) -> Edits:
            each = _find(known, name)
            if not each.archived:
                raise UserError(f"the class {each.name!r} is in use")
            return _restored(known, each)

        return self._change("restore", decide)

    def move(self, names: Sequence[str]) -> ClassChange:
        """The classes in this order; those not named follow in the order they had."""

        def decide(known: list[ClassInfo], _: int) -> Edits:
            first = [_find(known, name).id for name in names]
            if len(set(first)) < len(first):
                raise UserError("a class is named twice in the new order: name each once")
            order = [*first, *(each.id for each in known if each.id not in first)]
            changed = {class_id: {"position": i} for i, class_id in enumerate(order)}
            now = {each.id: each.order for each in known}
            return Edits(changed={i: row for i, row in changed.items() if now[i] != row["position"]})

        return self._change("move", decide)

    def recolor(self, name: str, color: str | None) -> ClassChange:
        """A color such as `#3366cc`; None for the labeler's own."""
        found = _color(color)
        return self._change(
            "recolor", lambda known, _: Edits(changed={_find(known, name).id: {"color": found}})
        )

    def key(self, name: str, key: str | None) -> ClassChange:
        """The key that labels the class; whoever had it before has none then. None for no key."""
        key = validate.key(key)

        def decide(known: list[ClassInfo], _: int) -> Edits:
            each = _find(known, name)
            if each.archived and key is not None:
                raise UserError(f"the class {each.name!r} is archived: restore it first")
            freed: dict[int, dict[str, Any]] = {
                other.id: {"key": None} for other in known if key is not None and other.key == key
            }
            return Edits(changed={**freed, each.id: {"key": key}})

        return self._change("key", decide)

    def reopen(self, name: str) -> ClassChange:
        """Take the labels of a class back, those merged into it too, so that its images are labeled anew."""

        def decide(known: list[ClassInfo], last: int) -> Edits:
            each = _find(known, name)
            ids = [other.id for other in known if other.id == each.id or other.merged_into == each.id]
            return Edits(changed={class_id: {"reopened_row": last} for class_id in ids})

        return self._change("reopen", decide)

    def relabel(self, image_ids: Sequence[int], name: str, annotator: str) -> int:
        """Give these images another class, as labels of `annotator`'s; how many there are. For a split by hand."""
        each = self.find(name)
        by = labeling.annotator_name(annotator)
        events = [
            Event(str(uuid4()), EventKind.LABEL, by, image_id=image_id, class_id=each.id, note="split")
            for image_id in image_ids
        ]
        result = labeling.record(self.store, self.project, events, require_lease=False)
        if result.rejected:
            raise UserError(f"{len(result.rejected)} images kept their class: {result.rejected[0][1]}")
        return len(result.accepted)

    def undo(self) -> ClassChange:
        """Take the last change back."""
        change = self.store.undo_class_change(self.project.id)
        self._ask_for_refit(change.kind)
        return change

    def _change(self, kind: str, decide: Any) -> ClassChange:
        change = self.store.change_classes(self.project.id, kind, decide)
        self._ask_for_refit(kind)
        return change

    def _ask_for_refit(self, kind: str) -> None:
        if kind not in SILENT and self.store.latest_round(self.project.id) is not None:
            self.store.enqueue(self.project.id, JobKind.REFIT)

    def _template(self) -> str:
        facts = self.store.get_setting(self.project.id, "encoder") or {}
        return self.project.config.template or facts.get("default_template", "{}")


def _find(known: Sequence[ClassInfo], name: str) -> ClassInfo:
    cleaned = validate.clean(name)
    for each in known:
        if each.name == cleaned:
            return each
    there = ", ".join(each.name for each in known if not each.archived)
    raise UserError(f"no class named {cleaned!r}; there are {there}")


def _check_name(known: Sequence[ClassInfo], name: str) -> None:
    cleaned = validate.class_name(name)
    for each in known:
        if each.name.casefold() == cleaned.casefold():
            where = "is archived: restore it" if each.archived else "is there already: choose another name"
            raise UserError(f"the class {each.name!r} {where}")


def _check_left(known: Sequence[ClassInfo], without: ClassInfo) -> None:
    if sum(not each.archived for each in known) <= 2:
        raise UserError(f"two classes are needed, so {without.name!r} must stay: add another class first")


def _restored(known: Sequence[ClassInfo], each: ClassInfo) -> Edits:
    values = {"archived": False, "merged_into": None, "key": _free_key(known, each.name)}
    return Edits(changed={each.id: values})


def _free_key(known: Sequence[ClassInfo], name: str) -> str | None:
    taken = {each.key for each in known if not each.archived}
    return next((key for key in [name, *validate.KEYS] if key in validate.KEYS and key not in taken), None)


def _color(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    if not _COLOR.fullmatch(text.strip()):
        raise UserError(f"{text!r} is no color: give one such as #3366cc")
    return text.strip().lower()
