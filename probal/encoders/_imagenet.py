"""ImageNet's classes in words, and the vocabulary of their glosses, from what timm and open_clip carry.

Call :func:`probal.encoders._torchvision.make_torchvision_importable` before any of these.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping
from functools import cache

_WORD = re.compile(r"[a-z]+")
_LONG_WORD = re.compile(r"[A-Za-z]{6,}")  # two glued words of three letters
_CAMEL = re.compile(r"(?<=[a-z][a-z])(?=[A-Z][a-z])")
_COMMON = 10  # of 21,841 glosses; rarer words split names that are merely unknown ("fig urine")


def class_descriptions() -> list[str]:
    """The 1,000 class names in the classifier's order, each with WordNet's gloss: `crane bird: large …`.

    Names are open_clip's, which tell the two cranes apart; glosses are timm's.
    """
    from open_clip import IMAGENET_CLASSNAMES
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    lemmas, detailed = info.label_descriptions(), info.label_descriptions(detailed=True)
    glosses = [text.removeprefix(f"{lemma}: ") for lemma, text in zip(lemmas, detailed, strict=True)]
    return [f"{name}: {gloss}" for name, gloss in zip(IMAGENET_CLASSNAMES, glosses, strict=True)]


@cache
def gloss_words() -> Mapping[str, int]:
    """In how many of ImageNet-22k's names and glosses each lower-case word stands."""
    from timm.data import ImageNetInfo

    texts = ImageNetInfo("imagenet-22k").label_descriptions(detailed=True)
    return Counter(word for text in texts for word in set(_WORD.findall(text.lower())))


def spell_out(text: str, glosses: Mapping[str, int], vocabulary: Container[str]) -> str:
    """A folder's name as words: `long_sleeve`, `LongSleeve` and `longsleeve` all become two.

    A word is taken apart only if neither `glosses` nor `vocabulary` knows it and both parts are common in
    the glosses; of several such places the one whose rarer part is the more common.
    """

    def split(match: re.Match[str]) -> str:
        word = match.group().lower()
        if word in glosses or word in vocabulary:
            return match.group()
        cuts = [(min(glosses.get(word[:i], 0), glosses.get(word[i:], 0)), i) for i in range(3, len(word) - 2)]
        common, i = max(cuts)
        return f"{word[:i]} {word[i:]}" if common >= _COMMON else match.group()

    return _LONG_WORD.sub(split, _CAMEL.sub(" ", text.replace("_", " ")))
