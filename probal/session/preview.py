"""Answers to `probal.previews`: zero-shot guesses on a few images, and what other prompts would change.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from probal import previews
from probal.encoders import Encoder, load_encoder, resolve_encoder_id
from probal.errors import UserError
from probal.pool.decode import UnreadableImage, open_image
from probal.session.space import Space, unit_rows
from probal.session.vectors import ProjectVectors
from probal.types import Project
from probal.workspace import Workspace, image_files

log = logging.getLogger("probal.preview")
_LOOKED_AT = 48
"""Images embedded for a preview; those beyond the ones shown tell where the middle of the pool lies."""
_LISTED = 20_000
"""Files of a folder that a preview is drawn from, so that a million of them cost no more."""


class Previews:
    """Answers questions for one workspace; keeps the encoder that it loaded last."""

    def __init__(self, workspace: Workspace, load: Callable[[str], Encoder] = load_encoder) -> None:
        self._workspace = workspace
        self._load = load
        self._encoder: tuple[str, Encoder] | None = None
        self._vectors: tuple[Project, ProjectVectors] | None = None

    def answer_next(self) -> bool:
        """Answer the question that waits, in a sentence where it has no answer; False where none waits."""
        asked = previews.next_question(self._workspace)
        if asked is None:
            return False
        name, question = asked
        try:
            found = self.answer(question)
        except UserError as error:
            found = {"error": str(error)}
        except Exception as error:
            log.exception("a preview failed")
            found = {"error": f"{type(error).__name__}: {error}"}
        previews.give(self._workspace, name, found)
        return True

    def answer(self, question: previews.Question) -> dict[str, Any]:
        """The answer as JSON-able values."""
        if isinstance(question, previews.GuessQuestion):
            return self._guesses(question)
        project = self._workspace.store.project(question.project)
        if self._vectors is None or self._vectors[0] != project:
            self._vectors = (project, ProjectVectors(self._workspace, project))
        return prompt_effect(self._vectors[1], project.config.seed, dict(question.prompts), question.template)

    def _guesses(self, question: previews.GuessQuestion) -> dict[str, Any]:
        root = Path(question.folder)
        encoder = self._encoder_of(resolve_encoder_id(question.encoder).id)
        paths, vectors = _embed_some(encoder, root, np.random.default_rng(0))
        rows = unit_rows(vectors, vectors.mean(0) if encoder.centred else None)
        template = question.template or encoder.default_template
        texts = encoder.encode_texts([template.replace("{}", name) for name in question.classes])
        probs = softmax(encoder.scale * rows @ unit_rows(texts).T, axis=1)  # [N,C]
        top = np.argsort(-probs, axis=1)[:, :3]
        return {
            "images": [
                {
                    "path": path.relative_to(root).as_posix(),
                    "guesses": [[question.classes[c], float(row[c])] for c in best],
                }
                for path, row, best in zip(paths, probs, top, strict=True)
            ][: previews.SHOWN],
            "sure": float(probs.max(1).mean()),
            "chance": 1 / len(question.classes),
        }

    def _encoder_of(self, encoder_id: str) -> Encoder:
        if self._encoder is None or self._encoder[0] != encoder_id:
            self._encoder = (encoder_id, self._load(encoder_id))
        return self._encoder[1]


def prompt_effect(
    vectors: ProjectVectors, seed: int, prompts: Mapping[int, str | None], template: str | None
) -> dict[str, Any]:
    """What these prompts, by class id, and this template change in the zero-shot predictions of a sample of the pool.

    No label enters on either side, and audit images stay out of sight. UserError before the images are embedded.
    """
    vectors.refresh()
    pool, x = vectors.pool()
    some = np.random.default_rng(seed).permutation(len(pool))[: previews.SAMPLE]
    rows = x.numpy()[some]
    classes = vectors.classes
    drafts = [replace(each, prompt=prompts.get(each.id, each.prompt)) for each in classes]
    before = _zero_shot(vectors.space, rows)
    after = _zero_shot(vectors.space_of(drafts, template), rows)
    hashes = [pool[i].content_hash for i in some.tolist()]
    called = [p.argmax(1) for p in (before, after)]

    def best(probs: np.ndarray, c: int) -> list[str]:
        return [hashes[i] for i in np.argsort(-probs[:, c], kind="stable")[: previews.TOP].tolist()]

    return {
        "n": len(rows),
        "changed": int((called[0] != called[1]).sum()),
        "classes": [
            {
                "class_id": each.id,
                "before": int((called[0] == c).sum()),
                "after": int((called[1] == c).sum()),
                "top_before": best(before, c),
                "top_after": best(after, c),
            }
            for c, each in enumerate(classes)
        ],
    }


def _zero_shot(space: Space, rows: np.ndarray) -> np.ndarray:
    return np.asarray(softmax(space.scale * rows @ space.prototypes.T, axis=1))  # [N,C]


def _embed_some(encoder: Encoder, root: Path, rng: np.random.Generator) -> tuple[list[Path], np.ndarray]:
    """Readable images of a folder drawn at random, and their vectors [N,D]. UserError where there is none."""
    files = []
    for path in image_files(root):
        files.append(path)
        if len(files) == _LISTED:
            break
    paths, prepared = [], []
    for i in rng.permutation(len(files)).tolist():
        try:
            prepared.append(encoder.prepare(open_image(files[i])))
        except UnreadableImage:
            continue
        paths.append(files[i])
        if len(paths) == _LOOKED_AT:
            break
    if not paths:
        raise UserError(f"no image in {root} can be read")
    return paths, encoder.encode_prepared(np.stack(prepared))
