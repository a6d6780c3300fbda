"""Published directories: what is read, and every way in which one can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from posterior_world import D, P, draw, spd

from probal.errors import UserError
from probal.posterior import Damping, KroneckerPrecision, Projection, load_published

FACTORS = {"A_img": spd(P, 1), "B_img": spd(D, 2), "A_txt": spd(4, 3), "B_txt": spd(D, 4)}
NUMBERS = {"lambda_img": 12.0, "n_img": 1.0, "lambda_txt": 7.0, "n_txt": 2.0}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, factor in FACTORS.items():
        torch.save(factor.float(), tmp_path / f"{name}_analytic.pt")
    (tmp_path / "prior_precision_analytic.json").write_text(json.dumps(NUMBERS))
    return tmp_path


def test_both_towers_come_back(directory: Path) -> None:
    found = load_published(directory, pairs=100)
    for tower, tag in ((found.image, "img"), (found.text, "txt")):
        torch.testing.assert_close(tower.curvature.a, FACTORS[f"A_{tag}"], rtol=1e-6, atol=1e-5)
        torch.testing.assert_close(tower.curvature.b, FACTORS[f"B_{tag}"], rtol=1e-6, atol=1e-5)
        assert (tower.prior_precision, tower.tau) == (NUMBERS[f"lambda_{tag}"], NUMBERS[f"n_{tag}"])
        assert tower.curvature.count == 100


def test_the_published_numbers_are_reproduced(directory: Path) -> None:
    """The authors' covariance: `inv(√n A + √λ I)` and `inv(√n B + √λ I)`."""
    tower = load_published(directory).text
    there = tower.posterior(Projection(draw(D, 4)), Damping.FACTORED, published_prior=True)
    a = draw(6, 4, seed=9)
    root, shift = NUMBERS["n_txt"] ** 0.5, NUMBERS["lambda_txt"] ** 0.5
    a_inv = torch.linalg.inv(root * FACTORS["A_txt"] + shift * torch.eye(4))
    b_inv = torch.linalg.inv(root * FACTORS["B_txt"] + shift * torch.eye(D))
    rows = there.embed(a)
    assert rows.leverage is not None
    assert rows.shared is not None
    torch.testing.assert_close(rows.leverage, (a @ a_inv * a).sum(1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(rows.shared, b_inv, rtol=1e-5, atol=1e-6)


def test_the_prior_precision_is_fitted_for_the_form_asked_for(directory: Path) -> None:
    tower = load_published(directory).image
    found = {d: tower.posterior(Projection(draw(D, P)), d).precision.prior_precision for d in Damping}
    assert len({*found.values(), tower.prior_precision}) == 3


def test_labels_weigh_against_the_pairs_on_record(directory: Path) -> None:
    few, many = (load_published(directory, pairs=n).image.curvature for n in (10, 1000))
    torch.testing.assert_close(few.a, many.a)
    torch.testing.assert_close(10 * few.outer, many.outer)


def test_the_factors_that_are_published_pass_for_what_they_are(directory: Path) -> None:
    """B of the real files has eigenvalues of −1e-6 of the largest, from its float32: no reason to refuse."""
    low = torch.diag(torch.tensor([-1e-6, 0.5, 1.0]))
    torch.save(low, directory / "B_img_analytic.pt")
    torch.save(low, directory / "B_txt_analytic.pt")
    tower = load_published(directory).image
    precision = KroneckerPrecision.from_factors(tower.curvature.a, tower.curvature.b, 1.0)
    assert float(precision.beta.min()) == 0.0


def save(name: str, value: object) -> Callable[[Path], object]:
    return lambda directory: torch.save(value, directory / f"{name}_analytic.pt")


def numbers(**changed: object) -> Callable[[Path], object]:
    return lambda directory: (directory / "prior_precision_analytic.json").write_text(
        json.dumps(NUMBERS | changed)
    )


class Code:
    """What a hostile .pt file would hold."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (print, ("a .pt file ran code",))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "A_img_analytic.pt").unlink(), "there is no .*A_img_analytic.pt"),
        (
            lambda d: (d / "B_txt_analytic.pt").write_bytes(b"no tensor"),
            "B_txt.* is not a file of one tensor",
        ),
        (save("A_txt", Code()), "A_txt.* is not a file of one tensor"),
        (save("A_img", {"a": torch.eye(2)}), "A_img.* holds dict, expected one tensor"),
        (save("A_img", torch.eye(2, dtype=torch.int64)), "A_img.* expected one tensor of floating point"),
        (save("A_img", torch.ones(3, 4)), "A_img.* must be a square matrix"),
        (save("A_img", torch.ones(P)), "A_img.* must be a square matrix"),
        (save("A_img", torch.ones(0, 0)), "A_img.* must be a square matrix"),
        (
            save("B_img", torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])),
            "is not symmetric",
        ),
        (save("B_img", torch.diag(torch.tensor([1.0, 1.0, -0.1]))), "not positive semi-definite"),
        (save("B_img", torch.full((D, D), float("nan"))), "not finite"),
        (save("B_img", torch.eye(D + 1)), "files are of different models"),
        (numbers(lambda_img=-1), "lambda_img must be a positive number, got -1"),
        (numbers(n_txt=None), "n_txt must be a positive number, got None"),
        (numbers(n_txt=True), "n_txt must be a positive number, got True"),
        (numbers(lambda_txt=float("nan")), "lambda_txt must be a positive number"),
        (lambda d: (d / "prior_precision_analytic.json").write_text("{"), "is not JSON"),
        (lambda d: (d / "prior_precision_analytic.json").write_text("[1]"), "must hold an object"),
        (lambda d: (d / "prior_precision_analytic.json").unlink(), "there is no .*prior_precision"),
    ],
)
def test_a_damaged_directory_is_told_in_one_line(
    directory: Path, damage: Callable[[Path], object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(directory)
    with pytest.raises(UserError, match=message) as caught:
        load_published(directory)
    assert "\n" not in str(caught.value)
    assert "ran code" not in capsys.readouterr().out


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        load_published(tmp_path / "nowhere")
    with pytest.raises(UserError, match="at least 1"):
        load_published(tmp_path, pairs=0)


def test_another_models_projection_is_refused(directory: Path) -> None:
    with pytest.raises(UserError, match="this very model"):
        load_published(directory).image.posterior(Projection(draw(D, P), draw(D)))
