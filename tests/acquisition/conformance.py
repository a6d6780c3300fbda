"""What every strategy must do; a new one subclasses `StrategyConformance` and names itself."""

from dataclasses import replace

import pytest
import torch

from probal.acquisition import AcquisitionState, Pick, propose
from probal.gaussian import GaussianLogits

N, D, C = 70, 12, 4
NONE = torch.empty(0, dtype=torch.int64)


def pool(n: int = N, seed: int = 0, labeled: int = 5, pending: int = 3, classes: int = C) -> AcquisitionState:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, D, generator=g)
    x = x / x.norm(dim=1, keepdim=True)
    logits = GaussianLogits(3 * torch.randn(n, classes, generator=g), torch.rand(n, classes, generator=g))
    order = torch.randperm(n, generator=g)
    rows = order[:labeled]
    y = torch.randint(0, classes, (labeled,), generator=g)
    return AcquisitionState(x, logits, rows, y, order[labeled : labeled + pending])


class StrategyConformance:
    strategy: str

    def ask(self, state: AcquisitionState, batch: int, seed: int = 0) -> list[Pick]:
        return propose(self.strategy, state, batch, torch.Generator().manual_seed(seed))

    @pytest.mark.parametrize("batch", [1, 2, 9, 40])
    @pytest.mark.parametrize("labeled", [0, 1, 20])
    def test_it_picks_as_many_candidates_as_asked_each_once(self, batch: int, labeled: int) -> None:
        state = pool(labeled=labeled)
        rows = [pick.row for pick in self.ask(state, batch)]
        assert len(rows) == len(set(rows)) == batch
        assert set(rows) <= set(state.candidates.tolist())

    def test_closed_and_excluded_images_are_not_proposed(self) -> None:
        state = pool()
        closed, excluded = state.candidates[:6], state.candidates[6:15]
        state = replace(state, closed=closed, excluded=excluded)
        picks = {pick.row for pick in self.ask(state, N)}
        assert picks == set(range(N)) - {*state.covered.tolist(), *excluded.tolist()}
        assert not picks & set(closed.tolist())

    def test_a_batch_beyond_the_pool_is_the_whole_pool(self) -> None:
        state = pool()
        rows = [pick.row for pick in self.ask(state, N + 10)]
        assert sorted(rows) == state.candidates.tolist()

    def test_an_exhausted_pool_gives_nothing(self) -> None:
        assert self.ask(pool(labeled=N - 3, pending=3), 5) == []

    def test_one_candidate_is_taken(self) -> None:
        state = pool(labeled=N - 4, pending=3)
        assert [pick.row for pick in self.ask(state, 5)] == state.candidates.tolist()

    def test_the_same_seed_gives_the_same_batch(self) -> None:
        assert self.ask(pool(), 8, seed=3) == self.ask(pool(), 8, seed=3)

    def test_it_draws_from_its_own_generator_only(self) -> None:
        before = torch.random.get_rng_state()
        self.ask(pool(), 8)
        assert torch.equal(before, torch.random.get_rng_state())

    def test_identical_images_and_certain_predictions_are_no_obstacle(self) -> None:
        flat = pool()
        x = flat.embeddings[:1].expand(N, D).clone()
        mean = torch.zeros(N, C)
        mean[:, 0] = 200.0
        state = AcquisitionState(
            x, GaussianLogits(mean, torch.zeros(N, C)), flat.labeled, flat.labels, flat.pending
        )
        assert len({pick.row for pick in self.ask(state, 6)}) == 6

    def test_a_prediction_that_is_not_finite_is_an_error(self) -> None:
        state = pool()
        broken = state.logits.mean.clone()
        broken[3, 1] = float("nan")
        state = AcquisitionState(
            state.embeddings, GaussianLogits(broken, state.logits.var), state.labeled, state.labels, NONE
        )
        with pytest.raises(FloatingPointError):
            self.ask(state, 5)

    def test_every_pick_carries_its_reason(self) -> None:
        state = pool()
        log_c = torch.log(torch.tensor(float(C)))
        for pick in self.ask(state, 8):
            assert pick.phase
            assert pick.total == pytest.approx(pick.aleatoric + pick.epistemic, abs=1e-5)
            assert 0 <= pick.epistemic <= pick.total <= log_c + 1e-5
            (first, p), (second, q) = pick.contested
            assert first != second
            assert 1 >= p >= q >= 0
            assert pick.nearest in state.labeled.tolist()
            cosine = state.embeddings[state.labeled] @ state.embeddings[pick.row]
            assert pick.similarity == pytest.approx(float(cosine.max()), abs=1e-5)

    def test_before_the_first_label_there_is_no_nearest_one(self) -> None:
        assert {(pick.nearest, pick.similarity) for pick in self.ask(pool(labeled=0), 4)} == {(None, None)}
