"""Laplace, variational and poorer posteriors of BayesAdapter's model against long Hamiltonian Monte Carlo runs.

    python benchmarks/hmc.py [--seeds 10] [--json OUT]

Per seed a problem of 12 labels, 3 classes and 4 dimensions in a narrow cone, as the test `test_against_hmc` has it,
and 12 images; scale and amplitude fixed, temperature 1. What a softmax sees are the logits less their mean over
classes: the largest error of their posterior mean in standard deviations, the smallest and largest ratio of their
variances, and the largest error of the predictive probabilities. `mean-field` and `one deviation` keep of the
variational precision its diagonal, or the mean of it, for each class. Means over seeds with 95 % intervals.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from probal.adapters import BayesAdapter, VariationalAdapter
from probal.gaussian import GaussianEmbedding, GaussianLogits
from tests.adapters.hmc import sample_posterior

N, D, C, SCALE = 12, 4, 3, 3.0
AMPLITUDES = (4.0, 16.0)
COLUMNS = ("mean, σ", "smallest variance ratio", "largest variance ratio", "predictive")
CENTRE = torch.eye(C, dtype=torch.float64) - 1 / C


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True)


def problem(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Labeled rows, labels, prototypes and images."""
    g = torch.Generator().manual_seed(seed)
    cone = torch.full((1, D), 0.5, dtype=torch.float64)
    prototypes = unit(cone + 0.5 * torch.randn(C, D, generator=g, dtype=torch.float64))
    y = torch.arange(N) % C
    x = unit(prototypes[y] + 0.3 * torch.randn(N, D, generator=g, dtype=torch.float64))
    beside = unit(cone + 0.3 * torch.randn(5, D, generator=g, dtype=torch.float64))
    return (
        x,
        y,
        prototypes,
        torch.cat([x[:4], beside, unit(torch.randn(3, D, generator=g, dtype=torch.float64))]),
    )


def approximations(seed: int, amplitude: float) -> dict[str, GaussianLogits]:
    """Gaussian logits of the images by each posterior."""
    x, y, prototypes, images = problem(seed)
    prior = GaussianEmbedding(prototypes)
    # the model that the chains sample: nothing is chosen, no centre is taken out, no logit is sharpened
    laplace = BayesAdapter(
        SCALE, fit_scale=False, amplitude=amplitude, temperature=1.0, centre=False, sharpness=1.0
    ).fit(x, y, prior)
    variational = VariationalAdapter(
        SCALE, fit_scale=False, amplitude=amplitude, temperature=1.0, centre=False, sharpness=1.0
    ).fit(x, y, prior)
    precision = torch.eye(D, dtype=torch.float64) / amplitude + torch.einsum(
        "nd,nc,ne->cde", x, variational.precision, x
    )
    diagonal = precision.diagonal(dim1=1, dim2=2)  # [C,D]
    mean = variational.logits(images).mean
    alone = images.square().sum(1, keepdim=True) / diagonal.mean(1)
    return {
        "Laplace": laplace.logits(images),
        "variational": variational.logits(images),
        "mean-field": GaussianLogits(mean, images.square() @ (1 / diagonal).T),
        "one deviation": GaussianLogits(mean, alone),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    seeds = arguments.seeds
    torch.set_num_threads(1)
    print("| amplitude | posterior | mean, σ | smallest variance ratio | largest | predictive |")
    print("|---|---|---:|---:|---:|---:|")
    results = []
    for amplitude in AMPLITUDES:
        found: dict[str, list[list[float]]] = {}
        for seed in range(seeds):
            x, y, prototypes, images = problem(seed)
            g = torch.Generator().manual_seed(seed)
            chains = sample_posterior(x, y, prototypes, SCALE, amplitude, g)
            if chains.r_hat > 1.01:
                raise SystemExit(f"the chains of seed {seed} do not agree: R̂ = {chains.r_hat:.3f}")
            draws = (chains.weights.reshape(-1, C, D) @ images.T).permute(2, 0, 1)  # [N,S,C]
            centred = draws @ CENTRE
            want_mean, want_var, want = centred.mean(1), centred.var(1), torch.softmax(draws, 2).mean(1)
            for name, logits in approximations(seed, amplitude).items():
                covariance = torch.stack([logits.covariance(i) for i in range(len(images))])
                ratio = (CENTRE @ covariance @ CENTRE).diagonal(dim1=1, dim2=2) / want_var
                off = ((logits.mean @ CENTRE - want_mean).abs() / want_var.sqrt()).max()
                wrong = (logits.predictive("qmc", 4096) - want).abs().max()
                row = [float(off), float(ratio.min()), float(ratio.max()), float(wrong)]
                found.setdefault(name, []).append(row)
        for name, rows in found.items():
            mean = np.mean(rows, 0)
            half = 1.96 * np.std(rows, 0, ddof=1) / seeds**0.5 if seeds > 1 else np.zeros(4)
            digits = (2, 2, 2, 3)
            cells = [f"{m:.{k}f} ± {h:.{k}f}" for m, h, k in zip(mean, half, digits, strict=True)]
            print(f"| {amplitude:g} | {name} | " + " | ".join(cells) + " |", flush=True)
            row = {"mean": mean.tolist(), "half interval": half.tolist(), "seeds": seeds}
            results.append({"amplitude": amplitude, "posterior": name, **row})
    if arguments.json:
        arguments.json.write_text(json.dumps({"columns": COLUMNS, "rows": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
