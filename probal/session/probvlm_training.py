"""Training a project's ProbVLM, and ranking encoders by it.

Shapes use the glossary of `probal.types`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from probal.encoders import check_encoder_id, load_encoder
from probal.errors import UserError
from probal.label_import.captions import Caption
from probal.pool.features import FeatureStore
from probal.probvlm import Candidate, Pairs, ProbVLM, RankedEncoder, Settings, rank_encoders, train
from probal.random import derive_seed, torch_generator
from probal.session.ambiguity import (
    SETTING,
    ProjectProbVLM,
    Training,
    ambiguity_of,
    percentiles,
    save_probvlm,
)
from probal.session.prepare import ENCODER_FACTS, Report
from probal.session.space import EncoderFacts, mean_vector, prompts_of
from probal.session.text_pairs import JointSpace, TextPair, caption_pairs, label_pairs
from probal.session.vectors import ProjectVectors
from probal.types import Project
from probal.workspace import Workspace

FEWEST_PAIRS = 40
HELD_OUT_AT_LEAST = 20
"""Fewer held-out images cannot calibrate a flag for one image in ten."""


def settings_for(pairs: Sequence[TextPair]) -> Settings:
    """Settings for these pairs.

    Class prompts recur in the pool, so images are held out, not classes; captions are all different, so whole
    texts are. UserError where there are too few pairs, or a single text.
    """
    n, texts = len(pairs), len({pair.text for pair in pairs})
    if n < FEWEST_PAIRS:
        raise UserError(
            f"ProbVLM needs at least {FEWEST_PAIRS} images with a label or caption, there are {n}: "
            f"label {FEWEST_PAIRS - n} more, or give captions with --pairs FILE.csv"
        )
    if texts < 2:
        raise UserError("all images have one and the same text: label images of another class too")
    held_out = max(Settings.held_out, HELD_OUT_AT_LEAST / n)
    # a dozen steps an epoch, so that few pairs are learned from in as many epochs
    return Settings(
        held_out=held_out, held_out_texts=texts > n / 2, batch_size=min(Settings.batch_size, max(8, n // 12))
    )


def train_probvlm(
    workspace: Workspace, project: Project, captions: Sequence[Caption], report: Report
) -> tuple[ProjectProbVLM, int]:
    """Train on the labels so far and the captions, keep the model with the project, and say what was left out.

    The second value counts captions of audit and test images. UserError where there are too few pairs, or the
    images are not embedded yet.
    """
    vectors = ProjectVectors(workspace, project)
    space = vectors.space
    facts = EncoderFacts(**workspace.store.get_setting(project.id, ENCODER_FACTS))
    labeled = label_pairs(workspace, project, vectors, facts.default_template)
    told, left_out = caption_pairs(workspace.store, project, captions)
    settings = settings_for(labeled + told)  # before the encoder is loaded, which takes seconds
    report(0, 0, "Loading the encoder")
    features = FeatureStore(workspace.features_dir, space.fingerprint, space.width)
    joint = JointSpace(vectors.encoder(), features, space.centre)
    model = _train(joint, labeled + told, settings, project, report)
    record = model.history[model.chosen]
    folder = workspace.snapshots_dir / str(project.id)
    training = Training(
        file=(folder / f"probvlm-{uuid4().hex[:12]}.safetensors").relative_to(workspace.path).as_posix(),
        encoder=space.fingerprint,
        labels=len(labeled),
        captions=len(told),
        texts=len({pair.text for pair in labeled + told}),
        epoch=model.chosen + 1,
        nll=record.nll,
        calibration_error=record.calibration_error,
        held_out=len(model.reference),
        quantiles=percentiles(ambiguity_of(model, vectors.pool()[1])),
    )
    save_probvlm(workspace, project, model, training)
    return ProjectProbVLM(model, training), left_out


def rank_for_pool(
    workspace: Workspace,
    project: Project,
    encoder_ids: Sequence[str],
    captions: Sequence[Caption],
    report: Report,
) -> tuple[RankedEncoder, ...]:
    """Encoders of the pool, first the one whose uncertainty changes the fewest answers.

    A ProbVLM is trained for each, and none is kept.

    The pairs are the labels so far and the captions; the pool is ranked unlabeled. Vectors stay cached.
    """
    if len(set(encoder_ids)) < 2:
        raise UserError("encoders are ranked against each other: name at least two, separated by commas")
    vectors = ProjectVectors(workspace, project)
    images = vectors.pool()[0]
    told, _ = caption_pairs(workspace.store, project, captions)
    settings_for(label_pairs(workspace, project, vectors, "{}") + told)
    for encoder_id in encoder_ids:
        check_encoder_id(encoder_id)
    root = Path(project.config.image_root or "")
    files = [(image.content_hash, root / image.path) for image in images]
    candidates = {}
    for encoder_id in dict.fromkeys(encoder_ids):

        def say(done: int, total: int, what: str, encoder_id: str = encoder_id) -> None:
            report(done, total, f"{encoder_id}: {what}")

        say(0, 0, "Loading the encoder")
        encoder = load_encoder(encoder_id)
        features = FeatureStore(workspace.features_dir, encoder.fingerprint, encoder.width)
        joint = JointSpace(encoder, features, None)
        x = joint.images(files, say)
        if encoder.centred:
            joint = JointSpace(encoder, features, mean_vector(features, [each for each, _ in files]))
            x = joint.images(files, say)
        pairs = label_pairs(workspace, project, vectors, encoder.default_template) + told
        model = _train(joint, pairs, settings_for(pairs), project, say)
        prompts = prompts_of(project.config.template or encoder.default_template, vectors.classes)
        candidates[encoder_id] = Candidate(model, x, joint.texts(prompts, say))
    return rank_encoders(candidates, derive_seed(SETTING, "networks"))


def _train(
    joint: JointSpace, pairs: Sequence[TextPair], settings: Settings, project: Project, report: Report
) -> ProbVLM:
    images = joint.images([(pair.content_hash, pair.file) for pair in pairs], report)
    texts = joint.texts([pair.text for pair in pairs], report)
    return train(Pairs(images, texts), settings, torch_generator(project.config.seed, SETTING), report)
