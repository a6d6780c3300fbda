"""A replicate of the audit's bench, whatever the adapter."""

from __future__ import annotations

import _audit_loop
import pytest
import torch
from _audit_loop import FIXED, Setting, _accuracy, replicate, world

from probal.adapters import ADAPTERS
from probal.gaussian import GaussianEmbedding
from probal.session.measure import FOLDS


@pytest.mark.parametrize("adapter", [*ADAPTERS, FIXED])
def test_the_accuracy_of_every_adapter_is_that_of_its_mean_logits(adapter: str):
    easy = world("easy", None)
    x, y = torch.tensor(easy.x[:400]), torch.tensor(easy.y[:400])
    fitted = Setting("easy", "random", 100, 0.2, 40, 20, adapter).make_adapter(easy.scale)
    posterior = fitted.fit(x[:30], y[:30], GaussianEmbedding(torch.tensor(easy.prototypes)))
    right = posterior.logits(x).mean.argmax(1) == y
    assert _accuracy(posterior, x, y) == pytest.approx(float(right.double().mean()))


def test_the_control_trains_on_what_a_fold_leaves_whatever_share_is_audited(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(_audit_loop, "AUDIT_EVERY", 2)
    found = replicate(world("easy", None), Setting("easy", "random", 100, 0.3, 60, 20, "linear"), 0)
    seen = found["looks"][-1]["audit"]
    assert seen == 30
    assert found["control"]["labels"] == seen - seen // FOLDS
