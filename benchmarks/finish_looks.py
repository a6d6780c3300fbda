"""How often the promise of a finish breaks for whoever looks after every batch and takes the first that is certified.

    python benchmarks/finish_looks.py [--replicates 2000] [--precision 0.95]

A hard case: every image is equally sure, and the share that is right is 1.5 per mille below the precision, so that
each certificate is a false one. The model stays the same while the audit grows from 60 to 200 labels, 14 a look; of
models that change the chances would be less alike, and more of them might come true. Prints the share of
replicates with a false certificate at the last look, and at any of them, ± 95 %.
"""

from __future__ import annotations

import argparse

import numpy as np

from probal.evaluation import certify

POOL, SHORT = 2000, 0.0015
LOOKS = range(60, 201, 14)


def replicate(precision: float, rng: np.random.Generator) -> list[bool]:
    """Whether each look brought a certificate; all that are brought are false."""
    wrong = np.zeros(POOL, bool)
    wrong[rng.permutation(POOL)[: round((1 - precision + SHORT) * POOL)]] = True
    found = []
    for audit in LOOKS:
        certificate = certify(
            np.full(POOL - audit, 0.9), np.full(audit, 0.9), wrong[:audit], precision, labeled=0
        )
        found.append(certificate.threshold is not None and wrong[audit:].mean() > 1 - precision)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--precision", type=float, default=0.95)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    looks = np.array([replicate(arguments.precision, rng) for _ in range(arguments.replicates)])
    for name, broken in (("the last look", looks[:, -1]), (f"any of {len(LOOKS)}", looks.any(1))):
        share = broken.mean()
        half = 1.96 * (share * (1 - share) / len(broken)) ** 0.5
        print(f"{name}: {100 * share:.1f} ± {100 * half:.1f} %")


if __name__ == "__main__":
    main()
