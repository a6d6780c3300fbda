"""What a user may call things: one clear line for everything that would break later. Pure; reads one file.

Every function returns the cleaned value, or raises UserError saying what was wrong, what was expected and
what to do.
"""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from probal.errors import UserError

MAX_CLASSES = 1000
MAX_NAME = 100
PSEUDO_COUNT = 10_000.0
"""Images that the pool is worth to a posterior made without labels, unless the user says otherwise: with a tenth of
it the exact form predicts worse than no posterior at all (docs/bayesvlm.md, Clothing)."""
FORMULA_STARTS = "=+-@"
"""A spreadsheet that opens an export runs a cell that starts with one of these."""
STRATEGIES = (
    "auto",
    "random",
    "typiclust",
    "herding",
    "margin-cluster",
    "margin-density",
    "margin",
    "entropy",
    "expected-entropy",
    "least-confidence",
    "bald",
    "epig",
    "batchbald",
    "badge",
    "k-center",
    "probcover",
    "power-margin",
    "power-entropy",
    "power-bald",
    "softmax-bald",
    "balanced-margin",
    "balanced-entropy",
    "balanced-bald",
    "probvlm",
)
ADAPTERS = ("bayes", "bayes-clap", "bayes-vi", "clap", "tip", "linear", "zero-shot")
"""Known by name here, where no torch is loaded; tests compare both with the registries."""
TAKEN_KEYS = frozenset("cr" + "zy" + "sf" + "h")
"""Streamlit's own; undo and redo; skip and flag; help."""
KEYS = tuple(key for key in "1234567890" + string.ascii_lowercase if key not in TAKEN_KEYS)
"""Keys that a class may have, in the order in which they are given out."""
MAX_PROMPT = 500

_PROJECT_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
# joiners are part of the spelling in Persian, Hindi and of many emoji; other format characters hide things
_JOINERS = "\u200c\u200d"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def clean(name: str) -> str:
    """A name without surrounding space, its accents composed, so that equal names are equal strings."""
    return unicodedata.normalize("NFC", name.strip())


def class_names(names: Sequence[str]) -> list[str]:
    """Names stripped of surrounding space: at least two, no two alike, none that breaks a page or a table."""
    cleaned = [clean(name) for name in names]
    if len(cleaned) < 2:
        raise UserError(
            f"{len(cleaned)} class name{'' if len(cleaned) == 1 else 's'} given: at least two are needed"
        )
    if len(cleaned) > MAX_CLASSES:
        raise UserError(f"{len(cleaned)} class names given: {MAX_CLASSES} at most are possible")
    seen: dict[str, str] = {}
    for position, name in enumerate(cleaned, start=1):
        _check_class_name(name, f" {position}")
        first = seen.get(name.casefold())
        if first is not None:
            alike = (
                f"class {name!r} is given twice"
                if first == name
                else f"classes {first!r} and {name!r} differ in case only"
            )
            raise UserError(f"the {alike}: every class needs a name of its own")
        seen[name.casefold()] = name
    return cleaned


def class_name(name: str) -> str:
    """One class name; see `class_names`."""
    cleaned = clean(name)
    _check_class_name(cleaned)
    return cleaned


def _check_class_name(name: str, which: str = "") -> None:
    if not name:
        raise UserError(f"class name{which} is empty: remove it, or give it a name")
    if len(name) > MAX_NAME:
        raise UserError(
            f"class name{which} ({name[:20]!r}…) has {len(name)} characters: {MAX_NAME} at most are possible"
        )
    if any(unicodedata.category(char) in _HIDDEN and char not in _JOINERS for char in name):
        raise UserError(f"the class name {name!r} holds a control character: remove it")
    for char in "<>":
        if char in name:
            raise UserError(f"the class name {name!r} holds {char!r}, as HTML does: use plain words")
    if name[0] in FORMULA_STARTS:
        raise UserError(
            f"the class name {name!r} starts with {name[0]!r}, which a spreadsheet would run as a formula: "
            "start it with a letter or digit"
        )


def split_class_names(text: str) -> list[str]:
    """Names separated by commas, not yet checked; a comma at the end is harmless."""
    return [name.strip() for name in text.strip().rstrip(",").split(",")] if text.strip() else []


def read_class_names(path: Path) -> list[str]:
    """Names of a UTF-8 file, one a line, not yet checked; empty lines and a byte order mark are harmless."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"the class file {path} is not UTF-8: save it as UTF-8, one name a line") from error
    except OSError as error:
        raise UserError(f"the class file {path} cannot be read: {error.strerror}") from error
    return [line.strip() for line in lines if line.strip()]


def project_name(name: str) -> str:
    """A name that can stand in an address and a file name."""
    name = name.strip()
    if not _PROJECT_NAME.fullmatch(name) or not name.strip("."):
        raise UserError(
            f"{name!r} cannot be a project's name: 1 to 64 letters a-z, digits, '.', '_' and '-' can be"
        )
    return name


def template(text: str | None) -> str | None:
    """A prompt template with `{}` where the class name goes; None means the encoder's own."""
    if text is None:
        return None
    if text.count("{}") != 1 or "{" in text.replace("{}", "") or "}" in text.replace("{}", ""):
        raise UserError(
            f"the prompt {text!r} must hold '{{}}' exactly once, where the class name goes, "
            "as in 'a photo of a {}'"
        )
    return text


def prompts(texts: Sequence[str | None] | None, n_classes: int) -> list[str | None]:
    """One prompt or None a class, in the order of the classes; blank means None."""
    if texts is None:
        return [None] * n_classes
    if len(texts) != n_classes:
        raise UserError(f"{len(texts)} prompts for {n_classes} classes: give one for each, or none at all")
    return [text.strip() or None if text is not None else None for text in texts]


def prompt(text: str | None) -> str | None:
    """What the encoder reads for one class, `{}` in it for the name; blank means None."""
    if text is None or not text.strip():
        return None
    if len(text) > MAX_PROMPT:
        raise UserError(f"a prompt of {len(text)} characters is too long: {MAX_PROMPT} at most are possible")
    return text.strip()


def key(text: str | None) -> str | None:
    """A keyboard key for a class; blank means None."""
    if text is None or not text.strip():
        return None
    text = text.strip().lower()
    if text not in KEYS:
        raise UserError(f"{text!r} cannot be a class's key; those are {' '.join(KEYS)}")
    return text


def strategy(name: str) -> str:
    """A strategy's name."""
    return _known("strategy", name, STRATEGIES)


def untrained_strategy(name: str, where: str) -> str:
    """A strategy's name, of those that can run `where` no ProbVLM is trained."""
    if name == "probvlm":
        raise UserError(
            f"the strategy 'probvlm' needs a trained ProbVLM, and {where} has none: take another; in a project "
            "run probal probvlm train NAME, then probal next NAME --strategy probvlm"
        )
    return strategy(name)


def adapter(name: str) -> str:
    """An adapter's name."""
    return _known("adapter", name, ADAPTERS)


def audit(size: float) -> float:
    """A share of the pool below 1, or a whole number of images."""
    if not math.isfinite(size) or size < 0 or (size >= 1 and size != int(size)):
        raise UserError(f"the audit size {size} must be a share from 0 to 1, or a whole number of images")
    return float(size)


def batch_size(n: int) -> int:
    """Labels per round."""
    if n != int(n) or not 1 <= n <= 1000:
        raise UserError(f"the batch size {n} must be a whole number from 1 to 1000")
    return int(n)


def annotator(name: str) -> str:
    """The name under which a person labels."""
    name = clean(name)
    if not 1 <= len(name) <= MAX_NAME or any(unicodedata.category(char) in _HIDDEN for char in name):
        raise UserError(
            f"{name!r} cannot be an annotator's name: 1 to {MAX_NAME} printable characters can be"
        )
    return name


def assign_keys(names: Sequence[str]) -> list[str | None]:
    """A keyboard key for each class, None when they run out.

    A class named by a digit gets that digit. The others get, in order, the digits left of 1 to 9 and 0, then
    the letters left by the labeler's own commands.
    """
    own = {name for name in names if len(name) == 1 and name in string.digits}
    free = iter([each for each in KEYS if each not in own])
    return [name if name in own else next(free, None) for name in names]


def _known(what: str, name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise UserError(f"unknown {what} {name!r}; there are {', '.join(known)}")
    return name
