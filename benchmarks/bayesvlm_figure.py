"""How far the closed moments of the cosine are from the true cosine, and exact against factored variance: one SVG.

    python benchmarks/bayesvlm_figure.py [--data DIR] [--json RESULTS] [--svg docs/images/bayesvlm.svg]

Left: variance of `cosine_moments` over that of the true cosine, by Monte Carlo, over cosine and noise share; printed
as a table, with the error of the mean. Right: mean predictive variance of the published towers over λ, exact over
factored, on activations drawn from A (needs `bayesvlm_posterior/` in --data). Without --data the figure is drawn and
the table printed again from the committed results.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from probal.gaussian import GaussianEmbedding, cosine_moments
from probal.posterior import Damping, KroneckerPrecision, load_published

PUBLISHED = "bayesvlm_posterior/ViT-B-32-laion2b_s34b_b79k"
RESULTS = Path(__file__).parent / "results" / "bayesvlm_figure.json"
SVG = Path(__file__).parents[1] / "docs" / "images" / "bayesvlm.svg"
COSINES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SHARES = (0.01, 0.1, 0.5)
PRECISIONS = (10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0)
WIDTH, DRAWS, SEED = 64, 100_000, 0
COLOURS = ("#4c72b0", "#dd8452", "#55a868")
Curves = dict[str, list[tuple[float, float]]]


def cosine_error() -> dict[str, Curves]:
    """The moments against Monte Carlo of the true cosine, isotropic noise on the image, the class exact.

    `cosine`: variance over variance; `cosine mean`: mean less mean, in standard deviations of the true cosine.
    """
    generator = torch.Generator().manual_seed(SEED)
    spreads: Curves = {}
    means: Curves = {}
    for share in SHARES:
        points, errors = [], []
        for cosine in COSINES:
            x, t = torch.zeros(1, WIDTH, dtype=torch.float64), torch.zeros(1, WIDTH, dtype=torch.float64)
            x[0, 0], t[0, 0], t[0, 1] = 1.0, cosine, (1 - cosine**2) ** 0.5
            var = torch.full((1, WIDTH), share / WIDTH, dtype=torch.float64)
            noise = torch.randn(DRAWS, WIDTH, generator=generator, dtype=torch.float64)
            true = torch.cosine_similarity(x + var.sqrt() * noise, t)
            found = cosine_moments(GaussianEmbedding(x, var), GaussianEmbedding(t), 1.0)
            points.append((cosine, float(found.var[0, 0] / true.var())))
            errors.append((cosine, float((found.mean[0, 0] - true.mean()) / true.std())))
        spreads[f"noise share {share:g}"] = points
        means[f"noise share {share:g}"] = errors
    return {"cosine": spreads, "cosine mean": means}


def damping_ratio(data: Path) -> Curves:
    """`E tr Cov(W a)` exact over factored for activations with second moment A / √pairs, in closed form."""
    curves: Curves = {}
    published = load_published(data / PUBLISHED)
    for name, tower in (("image tower", published.image), ("text tower", published.text)):
        points = []
        for lam in PRECISIONS:
            totals = []
            for damping in (Damping.EXACT, Damping.FACTORED):
                form = KroneckerPrecision.from_factors(
                    tower.curvature.a, tower.curvature.b, lam, tower.tau, damping
                )
                totals.append(float(form.alpha @ form.eigenvalues.reciprocal().sum(1)))
            points.append((lam, totals[0] / totals[1]))
        curves[name] = points
    return curves


def error_table(results: dict[str, Any]) -> str:
    """Markdown: a row for each cosine, mean error and variance ratio for each noise share."""
    shares = list(results["cosine"])
    head = [f"mean, {share}" for share in shares] + [f"variance, {share}" for share in shares]
    lines = ["| cosine | " + " | ".join(head) + " |", "|---|" + "---|" * len(head)]
    for k, (cosine, _) in enumerate(results["cosine"][shares[0]]):
        cells = [f"{results['cosine mean'][share][k][1]:+.3f}" for share in shares]
        cells += [f"{results['cosine'][share][k][1]:.2f}" for share in shares]
        lines.append(f"| {cosine:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def panel(curves: Curves, left: float, title: str, below: str, log: bool) -> list[str]:
    """One plot of the two, 300 wide, as SVG elements."""
    xs = [x for points in curves.values() for x, _ in points]
    low, high = min(xs), max(xs)
    top = max(y for points in curves.values() for _, y in points) * 1.05

    def at(x: float, y: float) -> tuple[float, float]:
        share = (
            float(torch.log(torch.tensor(x / low)) / torch.log(torch.tensor(high / low)))
            if log
            else (x - low) / (high - low)
        )
        return left + 40 + 240 * share, 250 - 200 * y / top

    parts = [f'<text x="{left + 160}" y="24" text-anchor="middle" font-weight="bold">{title}</text>']
    for step in range(5):
        y = top * step / 4
        at_y = at(low, y)[1]
        parts.append(f'<path d="M{left + 40} {at_y:.1f}h240" stroke="#ddd"/>')
        parts.append(f'<text x="{left + 34}" y="{at_y + 4:.1f}" text-anchor="end">{y:.1f}</text>')
    for x in (low, high):
        parts.append(f'<text x="{at(x, 0)[0]:.1f}" y="268" text-anchor="middle">{x:g}</text>')
    parts.append(f'<text x="{left + 160}" y="284" text-anchor="middle">{below}</text>')
    for i, (name, points) in enumerate(curves.items()):
        line = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[i]}" stroke-width="2"/>')
        parts.append(f'<text x="{left + 52}" y="{54 + 16 * i}" fill="{COLOURS[i]}">{name}</text>')
    return parts


def draw(results: dict[str, Any], to: Path) -> None:
    """Both panels."""
    body = panel(
        results["cosine"], 0, "moments over true cosine: variance", "cosine between the means", False
    ) + panel(results["damping"], 320, "exact over factored variance", "prior precision λ", True)
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 296" font-family="sans-serif" font-size="12">'
    to.write_text(
        "\n".join([head, '<rect width="640" height="296" fill="white"/>', *body, "</svg>", ""]), "utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--svg", type=Path, default=SVG)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.data is not None:
        results = {
            **cosine_error(),
            "damping": damping_ratio(arguments.data),
            "draws": DRAWS,
            "seed": SEED,
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    results = json.loads(arguments.json.read_text("utf-8"))
    draw(results, arguments.svg)
    print(error_table(results))
    for name, points in results["damping"].items():
        print(name, ", ".join(f"{x:g}: {y:.2f}" for x, y in points))


if __name__ == "__main__":
    main()
