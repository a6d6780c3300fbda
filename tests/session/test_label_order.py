"""Whatever fits an adapter gives it the rows in the order in which their labels were given."""

from collections.abc import Callable

import numpy as np
import pytest
from torch import Tensor

from probal.adapters.linear import PointPosterior
from probal.adapters.zero_shot import ZeroShot
from probal.gaussian import GaussianEmbedding
from probal.session import Session
from probal.session.mistakes import check_labels
from probal.types import Role
from tests.session.conftest import label


@pytest.mark.parametrize(
    ("role", "module", "act"),
    [
        (Role.POOL, "engine", Session.refit),
        (Role.POOL, "mistakes", check_labels),
        (Role.AUDIT, "loop", Session.evaluate),  # the random control
    ],
)
def test_rows_of_a_fit_stand_in_the_order_of_their_labels(
    session: Session,
    truth: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    role: Role,
    module: str,
    act: Callable[[Session], object],
) -> None:
    images = session.store.images(session.project.id, role=role)
    given = [images[i] for i in np.random.default_rng(0).permutation(len(images))]
    label(session, truth, [image.id for image in given])
    row = {tuple(x): i for i, x in enumerate(session.rows(given).tolist())}
    orders = []

    class Watched(ZeroShot):
        def fit(self, x: Tensor, y: Tensor, prior: GaussianEmbedding, start: object = None) -> PointPosterior:
            orders.append([row[tuple(each)] for each in x.tolist()])
            return super().fit(x, y, prior)

    monkeypatch.setattr(f"probal.session.{module}.load_adapter", lambda name, scale: Watched(scale))
    act(session)
    assert orders
    assert all(order == sorted(order) for order in orders)
