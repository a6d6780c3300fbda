"""Encoder ids to encoders: one explicit table."""

from __future__ import annotations

from collections.abc import Callable

from probal.encoders.auto import RECOMMENDED, EncoderChoice, choose_encoder
from probal.encoders.base import Encoder
from probal.errors import UserError


def check_encoder_id(encoder_id: str) -> None:
    """Raises the UserError that :func:`load_encoder` would, as far as it can be told without loading torch.

    An unknown id or model, a missing package or checkpoint file; not whether weights can be downloaded.
    """
    _entry(encoder_id)[0](encoder_id)


def load_encoder(encoder_id: str) -> Encoder:
    """The encoder of an id: `embedded`, `auto`, `open_clip:<model>/<pretrained tag or path>`,
    `open_clip:hf-hub:<repo>`, `hf:<repo or folder>`. That of `auto` has the id of what was chosen.

    Takes seconds, and may download what is not cached. Raises UserError for an unknown id, a missing package
    (saying what to install) or weights that cannot be had.
    """
    check, load = _entry(encoder_id)
    check(encoder_id)
    return load(encoder_id)


def resolve_encoder_id(encoder_id: str) -> EncoderChoice:
    """What `auto` stands for here and now, to be kept in its place; any other id as it is, unchecked.

    May ask the hub, for seconds at most; loads no torch. UserError if `auto` comes to a missing package.
    """
    if encoder_id != "auto":
        return EncoderChoice(encoder_id)
    check_encoder_id(encoder_id)
    choice = choose_encoder()
    check_encoder_id(choice.id)
    return choice


def _check_auto(encoder_id: str) -> None:
    _check_open_clip(RECOMMENDED)  # `embedded` needs open_clip as well


def _load_auto(encoder_id: str) -> Encoder:
    return load_encoder(resolve_encoder_id(encoder_id).id)


def _check_embedded(encoder_id: str) -> None:
    from probal.encoders.embedded import check_installed

    check_installed()


def _load_embedded(encoder_id: str) -> Encoder:
    from probal.encoders.embedded import EmbeddedEncoder

    return EmbeddedEncoder()


def _check_open_clip(encoder_id: str) -> None:
    from probal.encoders.open_clip import check_id

    check_id(encoder_id)


def _load_open_clip(encoder_id: str) -> Encoder:
    from probal.encoders.open_clip import OpenClipEncoder

    return OpenClipEncoder(encoder_id)


def _check_hf(encoder_id: str) -> None:
    from probal.encoders.hf import check_id

    check_id(encoder_id)


def _load_hf(encoder_id: str) -> Encoder:
    from probal.encoders.hf import HFEncoder

    return HFEncoder(encoder_id)


_ENCODERS: dict[str, tuple[Callable[[str], None], Callable[[str], Encoder]]] = {
    "auto": (_check_auto, _load_auto),
    "embedded": (_check_embedded, _load_embedded),
    "hf": (_check_hf, _load_hf),
    "open_clip": (_check_open_clip, _load_open_clip),
}


def _entry(encoder_id: str) -> tuple[Callable[[str], None], Callable[[str], Encoder]]:
    kind, colon, _ = encoder_id.partition(":")
    if kind not in _ENCODERS or (kind in ("auto", "embedded")) == bool(colon):
        raise UserError(
            f"unknown encoder {encoder_id!r}; expected `embedded`, `auto`, "
            "`open_clip:<model>/<pretrained tag or path>`, `open_clip:hf-hub:<repo>` or `hf:<repo or folder>`"
        )
    return _ENCODERS[kind]
