"""The audit set: how many images, which ones, and what their labels say about the accuracy.

An audit image is drawn uniformly from the pool, labeled blind and never trained on, so the share of audit
images a classifier gets right is an unbiased estimate of its accuracy over the pool.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from statistics import NormalDist

from probal.errors import UserError

LEAST, MOST = 30, 200
"""Bounds of an audit set given as a share of the pool."""

PRELIMINARY_BELOW = 30
"""An accuracy measured on fewer images is drawn as preliminary."""


def audit_size(pool_n: int, share_or_n: float) -> int:
    """Number of audit images for a pool of `pool_n` usable images.

    A number from 1 up is a count and taken as it is, at most the pool. A share below 1 is rounded, raised to
    30 and cut at 200; it never takes more than half the pool, so that a small pool leaves something to learn
    from (below 60 images the set is then smaller than 30 and its interval may be preliminary). 0 means no
    audit set. Raises UserError for a negative or otherwise meaningless number.
    """
    if not math.isfinite(share_or_n) or share_or_n < 0 or (share_or_n > 1 and share_or_n != int(share_or_n)):
        raise UserError(
            f"audit must be a share of the pool below 1 (0.1) or a whole number of images, got {share_or_n}"
        )
    if share_or_n >= 1:
        return min(int(share_or_n), pool_n)
    if share_or_n == 0:
        return 0
    return min(max(LEAST, min(MOST, round(share_or_n * pool_n))), pool_n // 2)


def draw_audit(content_hashes: Iterable[str], size: int, seed: int) -> list[str]:
    """`size` of the hashes, uniformly without replacement, in random order.

    Every hash gets a pseudo-random key from the seed, the smallest keys are drawn: the result does not depend
    on the order of the hashes, on paths or on the machine, and it can be extended. Equal hashes count once.
    Raises ValueError when fewer than `size` are there.
    """
    unique = sorted(set(content_hashes), key=lambda value: _key(value, seed))
    if not 0 <= size <= len(unique):
        raise ValueError(f"cannot draw {size} of {len(unique)} images")
    return unique[:size]


def extend_audit(content_hashes: Iterable[str], audit: Iterable[str], size: int, seed: int) -> list[str]:
    """The audit set of a grown pool: at most `size` of its images, uniform over old and new ones alike.

    `content_hashes` is the whole pool now, `audit` the set as drawn with the same seed before. An old image
    outside the audit never enters, since it may have been chosen by a strategy, shown with a prediction or
    trained on; of the new images as large a share enters as of the old ones before. So the set may stay a
    little under `size`. Where the share must fall (the pool grew past the cap), audit images with the largest
    keys leave; they may then be used like any image of the pool. An audit image that is gone from the pool
    keeps its place for when it is back, beyond `size`. A project without an audit set stays without.
    """
    before, there = set(audit), set(content_hashes)
    if not before:
        return []
    reach = max(_key(value, seed) for value in before)  # old images up to here are in the audit, and no other
    inside = [value for value in there if _key(value, seed) <= reach]
    drawn = draw_audit(inside, min(size, len(inside)), seed)
    if drawn and len(drawn) < len(inside):
        reach = _key(drawn[-1], seed)  # what is beyond may be trained on from now on
    gone = [value for value in before - there if _key(value, seed) <= reach]
    return sorted([*drawn, *gone], key=lambda value: _key(value, seed))


def check_counts(correct: int, n: int, population: int | None, level: float) -> None:
    """ValueError where `correct` of `n` drawn out of `population`, or a confidence of `level`, cannot be."""
    if not 0 <= correct <= n or (population is not None and population < n):
        raise ValueError(f"need 0 <= correct <= n <= population, got {correct}, {n}, {population}")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")


def accuracy_interval(
    correct: int, n: int, population: int | None = None, level: float = 0.95
) -> tuple[float, float]:
    """Interval (low, high) for the accuracy over `population` images, `correct` of `n` drawn ones being right.

    Wilson's score interval (1927) with the finite-population correction, z² · (N − n)/(N − 1). The true
    number of right images is whole and lies in [correct, N − (n − correct)], so the ends are cut there and
    rounded to the nearest 1/N; where all or none of `n` < N are right, the open end is rounded outwards, so
    the interval has no width only when every image was seen. Without `population` it is infinite. Holds for
    one look; (0, 1) for n = 0. Raises ValueError for counts that do not fit.
    """
    check_counts(correct, n, population, level)
    if n == 0:
        return 0.0, 1.0
    rate = correct / n
    if population == n:
        return rate, rate
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    if population is not None:
        z2 *= (population - n) / (population - 1)
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = 0.0 if correct == 0 else centre - half  # exact at the edges, where centre and half cancel
    high = 1.0 if correct == n else centre + half
    if population is None:
        return max(0.0, low), min(1.0, high)
    low_count = max(correct, math.floor(low * population) if correct == n else round(low * population))
    most = population - n + correct
    high_count = min(most, math.ceil(high * population) if correct == 0 else round(high * population))
    return min(low_count / population, rate), max(high_count / population, rate)


def _key(content_hash: str, seed: int) -> bytes:
    return hashlib.sha256(f"audit\x1f{seed}\x1f{content_hash}".encode()).digest()
