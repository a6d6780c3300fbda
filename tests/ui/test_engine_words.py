"""Every strategy and adapter has its words, and no two the same."""

from __future__ import annotations

import pytest

from probal import validate
from probal.encoders import check_encoder_id
from probal.errors import UserError
from probal.ui.engine_view import MOST_AT_ONCE
from probal.ui.engine_words import ADAPTERS, ENCODERS, STRATEGIES


@pytest.mark.parametrize(
    ("words", "known"), [(STRATEGIES, validate.STRATEGIES), (ADAPTERS, validate.ADAPTERS)]
)
def test_all_are_told_apart(words: dict[str, tuple[str, str]], known: tuple[str, ...]) -> None:
    assert set(words) == set(known)
    assert len({title for title, _ in words.values()}) == len(words)
    assert all(sentence.endswith(".") for _, sentence in words.values())
    assert "recommended" in next(iter(words.values()))[0]


@pytest.mark.embedded
def test_every_encoder_in_words_is_one() -> None:
    for each in ENCODERS:
        check_encoder_id(each)


def test_the_page_offers_batches_that_are_possible() -> None:
    assert validate.batch_size(MOST_AT_ONCE) == MOST_AT_ONCE
    with pytest.raises(UserError):
        validate.batch_size(MOST_AT_ONCE + 1)
