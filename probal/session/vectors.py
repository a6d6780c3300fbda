"""What the engine sees of a project: its classes and images as unit rows of the encoder's space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from probal.encoders import Encoder, load_encoder
from probal.encoders.vectors import VectorEncoder
from probal.errors import UserError
from probal.pool.features import FeatureStore
from probal.session.prepare import ENCODER_FACTS, centre_path
from probal.session.space import EncoderFacts, Space, build_space
from probal.types import ClassInfo, ImageInfo, ImageState, Project, Role
from probal.workspace import Workspace


class ProjectVectors:
    """Reads the store at every call; keeps the encoder and the pool's rows, which are slow to get.

    The classes are those of the last `refresh`: one fit and all that is asked of it must mean the same C axis by it,
    while somebody changes them.
    """

    def __init__(self, workspace: Workspace, project: Project) -> None:
        self._workspace = workspace
        self._project = project
        self._encoder: Encoder | None = None
        self._rows: tuple[object, Tensor] | None = None
        self._classes: list[ClassInfo] | None = None

    def refresh(self) -> None:
        """Take the classes as they are now."""
        self._classes = self._workspace.store.classes(self._project.id)

    @property
    def classes(self) -> list[ClassInfo]:
        """Classes in use, in the order of the C axis."""
        if self._classes is None:
            self.refresh()
        assert self._classes is not None
        return self._classes

    def encoder(self) -> Encoder:
        """The project's encoder, or what stands for it where the user brought vectors; loaded on first use."""
        if self._encoder is None:
            own = self._workspace.own_vectors(self._project)
            self._encoder = load_encoder(self._project.config.encoder) if own is None else VectorEncoder(own)
        return self._encoder

    @property
    def space(self) -> Space:
        """How vectors and classes lie for the current classes. UserError before the images are embedded."""
        return self.space_of(self.classes, self._project.config.template)

    def space_of(self, classes: Sequence[ClassInfo], template: str | None) -> Space:
        """The same for other classes, or the same ones with other prompts or another template."""
        found = self._workspace.store.get_setting(self._project.id, ENCODER_FACTS)
        if found is None:
            name = self._project.name
            raise UserError(f"the images of '{name}' are not embedded yet; run: probal embed {name}")
        facts = EncoderFacts(**found)
        centre = np.load(centre_path(self._workspace, self._project)) if facts.centred else None
        folder = self._workspace.features_dir / facts.fingerprint
        return build_space(folder, template, classes, self.encoder, facts, centre)

    def images(self, *roles: Role) -> list[ImageInfo]:
        """Readable images of these roles."""
        found = self._workspace.store.images(self._project.id, state=ImageState.OK)
        return [image for image in found if image.role in roles]

    def read(self, images: Sequence[ImageInfo]) -> Tensor:
        """Unit rows [N,D] of the images."""
        space = self.space
        features = FeatureStore(self._workspace.features_dir, space.fingerprint, space.width)
        return space.unit(features.read([image.content_hash for image in images]))

    def pool(self) -> tuple[list[ImageInfo], Tensor]:
        """Pool images and their rows [N,D], kept while pool and space are the same. UserError for none."""
        images = self.images(Role.POOL)
        if not images:
            name = self._project.name
            raise UserError(f"'{name}' has no image to choose from; add images and run: probal embed {name}")
        key = (self.space.fingerprint, tuple(image.content_hash for image in images))
        if self._rows is None or self._rows[0] != key:
            self._rows = (key, self.read(images))
        return images, self._rows[1]
