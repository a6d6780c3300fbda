"""What every adapter must do; a new one subclasses `AdapterConformance` and names itself."""

import numpy as np
import pytest
import torch
from torch import Tensor

from probal.adapters import Adapter, fingerprint, load_adapter
from probal.gaussian import GaussianEmbedding

D, C = 24, 5


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=1, keepdim=True)


class AdapterConformance:
    adapter_id: str

    def adapter(self) -> Adapter:
        return load_adapter(self.adapter_id, 15.0)

    def prior(
        self, dtype: torch.dtype = torch.float32, classes: int = C, width: int = D
    ) -> GaussianEmbedding:
        g = torch.Generator().manual_seed(7)
        return GaussianEmbedding(
            unit(torch.randn(classes, width, generator=g, dtype=torch.float64)).to(dtype)
        )

    def labeled(
        self, n: int, dtype: torch.dtype = torch.float32, classes: int = C, width: int = D
    ) -> tuple[Tensor, Tensor]:
        g = torch.Generator().manual_seed(n)
        y = torch.randint(0, classes, (n,), generator=g)
        noise = torch.randn(n, width, generator=g, dtype=torch.float64) / width**0.5
        return unit(self.prior(torch.float64, classes, width).mean[y] + noise).to(dtype), y

    @pytest.mark.parametrize("n", [0, 1, 2, 40])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_shapes_types_and_finiteness(self, n: int, dtype: torch.dtype) -> None:
        x, y = self.labeled(n, dtype)
        logits = self.adapter().fit(x, y, self.prior(dtype)).logits(self.labeled(17, dtype)[0])
        assert logits.mean.shape == logits.var.shape == (17, C)
        assert logits.mean.dtype == logits.var.dtype == dtype
        assert torch.isfinite(logits.mean).all()
        assert torch.isfinite(logits.var).all()
        assert (logits.var >= 0).all()

    def test_without_labels_it_is_the_zero_shot_classifier(self) -> None:
        x, y = self.labeled(0)
        images = self.labeled(50)[0]
        got = self.adapter().fit(x, y, self.prior()).logits(images).mean.argmax(1)
        assert torch.equal(got, (images @ self.prior().mean.T).argmax(1))

    @pytest.mark.parametrize("present", [[0], [C - 1], [0, 2]])
    def test_classes_without_labels_keep_a_finite_prediction(self, present: list[int]) -> None:
        x, y = self.labeled(200)
        keep = torch.isin(y, torch.tensor(present))
        logits = self.adapter().fit(x[keep], y[keep], self.prior()).logits(x)
        assert logits.mean.shape[1] == C
        assert torch.isfinite(logits.mean).all()
        assert torch.isfinite(logits.predictive()).all()

    def test_duplicated_images_do_no_harm(self) -> None:
        x, y = self.labeled(10)
        logits = self.adapter().fit(x[[0] * 8 + [1]], y[[0] * 8 + [1]], self.prior()).logits(x)
        assert torch.isfinite(logits.mean).all()
        assert torch.isfinite(logits.var).all()

    def test_one_image_with_two_labels(self) -> None:
        x, _ = self.labeled(1)
        logits = self.adapter().fit(x[[0, 0]], torch.tensor([0, 1]), self.prior()).logits(x)
        assert torch.isfinite(logits.mean).all()

    def test_a_prior_of_zero_rows_means_no_prior(self) -> None:
        x, y = self.labeled(60)
        prior = GaussianEmbedding(torch.zeros(C, D))
        assert torch.isfinite(self.adapter().fit(x, y, prior).logits(x).predictive()).all()

    def test_a_fit_is_repeatable_and_leaves_its_inputs_alone(self) -> None:
        x, y = self.labeled(30)
        kept = x.clone(), y.clone()
        first, second = (self.adapter().fit(x, y, self.prior()) for _ in range(2))
        assert fingerprint(first) == fingerprint(second)
        assert torch.equal(x, kept[0])
        assert torch.equal(y, kept[1])

    def test_images_are_scored_alone(self) -> None:
        x, y = self.labeled(30)
        posterior = self.adapter().fit(x, y, self.prior())
        together = posterior.logits(x)
        for i in (0, 29):
            alone = posterior.logits(x[i : i + 1])
            np.testing.assert_allclose(alone.mean[0], together.mean[i], atol=1e-3)
            np.testing.assert_allclose(alone.var[0], together.var[i], atol=1e-4)

    def test_exact_embeddings_are_their_unit_rows(self) -> None:
        x, y = self.labeled(30)
        posterior = self.adapter().fit(x, y, self.prior())
        rows, longer = posterior.logits(x), posterior.logits(GaussianEmbedding(3 * x))
        np.testing.assert_allclose(longer.mean, rows.mean, atol=1e-3)
        np.testing.assert_allclose(longer.variance(), rows.variance(), atol=1e-4)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_embeddings_give_finite_logits_of_their_type(self, dtype: torch.dtype) -> None:
        x, y = self.labeled(30, dtype)
        posterior = self.adapter().fit(x, y, self.prior(dtype))
        leverage, full = torch.rand(30, dtype=dtype), torch.eye(D, dtype=dtype) / D
        for images in (
            GaussianEmbedding(x),
            GaussianEmbedding(x, torch.full_like(x, 0.01)),
            GaussianEmbedding(x, leverage=leverage, shared=full.diagonal()),
            GaussianEmbedding(x, leverage=leverage, shared=full),
        ):
            found = posterior.logits(images)
            assert found.mean.dtype == found.var.dtype == dtype
            assert posterior.joint(images, 3, torch.Generator().manual_seed(0)).dtype == dtype
            assert torch.isfinite(found.predictive()).all()
            assert (found.variance() >= 0).all()

    def test_an_image_at_the_centre_is_an_embedding_too(self) -> None:
        """Defect: zeros over their length."""
        x, y = self.labeled(30)
        posterior = self.adapter().fit(x, y, self.prior())
        x[3] = 0
        noise, full = torch.rand(30) * (torch.arange(30) != 3), torch.eye(D) / D
        forms = [
            GaussianEmbedding(x),
            GaussianEmbedding(x, noise[:, None].expand(30, D)),
            GaussianEmbedding(x, leverage=noise, shared=full.diagonal()),
            GaussianEmbedding(x, leverage=noise, shared=full),
        ]
        for images in forms:
            found = posterior.logits(images)
            np.testing.assert_allclose(found.mean[3], posterior.logits(x).mean[3], atol=1e-5)
            assert torch.isfinite(found.variance()).all()
            assert torch.isfinite(posterior.joint(images, 5, torch.Generator().manual_seed(0))).all()
        all_noise = GaussianEmbedding(x, leverage=torch.ones(30), shared=full)
        assert torch.isfinite(posterior.logits(all_noise).predictive()).all()

    def test_joint_draws_have_the_marginals_and_one_theta(self) -> None:
        x, y = self.labeled(30)
        posterior = self.adapter().fit(x, y, self.prior())
        logits = posterior.logits(x[:4])
        draws = posterior.joint(x[:4], 4000, torch.Generator().manual_seed(0))
        assert draws.shape == (4, 4000, C)
        spread = logits.variance().sqrt()
        assert ((draws.mean(1) - logits.mean).abs() <= 5 * spread / 4000**0.5 + 1e-3).all()
        np.testing.assert_allclose(draws.var(1), logits.variance(), rtol=0.15, atol=1e-5)
        twice = posterior.joint(x[[0, 0]], 50, torch.Generator().manual_seed(1))
        np.testing.assert_allclose(twice[0], twice[1], atol=1e-4)

    def test_draws_of_uncertain_images(self) -> None:
        x, y = self.labeled(30)
        posterior = self.adapter().fit(x, y, self.prior())

        def drawn(images: Tensor | GaussianEmbedding) -> Tensor:
            return posterior.joint(images, 300, torch.Generator().manual_seed(2))

        rows = x[:4, None].expand(4, 300, D)
        np.testing.assert_allclose(drawn(rows), drawn(x[:4]), atol=1e-4)
        certain = drawn(x[:4]).var(1)
        noisy = drawn(GaussianEmbedding(x[:4], leverage=torch.full((4,), 0.5), shared=torch.eye(D) / D))
        assert noisy.shape == (4, 300, C)
        assert (noisy.var(1) > certain).all()

    @pytest.mark.parametrize(("n", "classes", "width"), [(2000, 20, 24), (60, 1000, 24)])
    def test_many_labels_and_many_classes(self, n: int, classes: int, width: int) -> None:
        """Far more labels than dimensions; far more classes than labels."""
        x, y = self.labeled(n, torch.float32, classes, width)
        logits = self.adapter().fit(x, y, self.prior(torch.float32, classes, width)).logits(x[:50])
        assert logits.mean.shape == (50, classes)
        assert torch.isfinite(logits.mean).all()
        assert torch.isfinite(logits.var).all()

    def test_wrong_labels_are_refused(self) -> None:
        x, y = self.labeled(4)
        with pytest.raises(ValueError, match=r"labels must lie in 0\.\.4"):
            self.adapter().fit(x, y + C, self.prior())
        with pytest.raises(ValueError, match="int64"):
            self.adapter().fit(x, y[:2], self.prior())
        with pytest.raises(ValueError, match="like the prior"):
            self.adapter().fit(x[:, 1:], y, self.prior())

    @pytest.mark.parametrize("length", [3.0, 0.5, float("nan")])
    def test_rows_that_are_not_of_unit_length_are_refused(self, length: float) -> None:
        """Defect: Tip-Adapter's affinities of vectors that were never normalized."""
        x, y = self.labeled(4)
        x[2] *= length
        with pytest.raises(ValueError, match="row 2 has length"):
            self.adapter().fit(x, y, self.prior())

    def test_rounded_rows_and_an_image_at_the_centre_are_taken(self) -> None:
        x, y = self.labeled(30)
        x[3] = 0
        rounded = x.bfloat16().float()
        exact, close = (
            self.adapter().fit(rows, y, self.prior()).logits(x).predictive() for rows in (x, rounded)
        )
        np.testing.assert_allclose(close, exact, atol=0.05)
