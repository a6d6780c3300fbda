"""What was decided in a round, in a sentence."""

from __future__ import annotations

from datetime import UTC, datetime

from probal.advice import decision
from probal.types import Round

DECIDED = {
    "reach": 0.81, "covered": 0.43, "doubt": 0.3, "doubt_covered": 0.28, "counting": 0.35, "looked_at": 500,
}  # fmt: skip


def of(n_train: int, **decided: float) -> Round:
    config = {"decided": decided} if decided else {}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Round(1, 3, "auto", 0, config, "", "", 0, "", (), n_train, n_train, 1, {}, {}, now)


def test_uneven_doubt_counts_beside_coverage() -> None:
    assert decision(of(40, **DECIDED)) == (
        "Labels so far cover 43% of the other images and 28% of the doubt; the model doubts images by 30% on "
        "average, and unevenly: the doubt weighs like that of 35% of them, so uncertainty counts beside coverage. A "
        "label reaches images down to a similarity of 0.81."
    )


def test_even_doubt_is_coverage_and_the_first_round_has_no_labels() -> None:
    said = decision(of(0, **{**DECIDED, "counting": 0.99, "doubt": 0.97}))
    assert said is not None
    assert said.startswith(
        "No label covers anything yet; the model doubts nearly all images alike (97% on average)"
    )


def test_a_strategy_that_decides_nothing_says_nothing() -> None:
    assert decision(of(40)) is None
