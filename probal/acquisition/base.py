"""What a strategy sees, what it answers, and the one function that asks it.

Shapes use the glossary of `probal.types`. Strategies work on row numbers; the session turns them into image ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from probal.acquisition.joint import JointSampler, correlated_logits
from probal.acquisition.scores import Uncertainty, uncertainty
from probal.errors import UserError
from probal.gaussian import GaussianLogits
from probal.threads import single_thread


@dataclass(frozen=True, eq=False)
class Target:
    """Images whose predictions are to become better: a second pool, or unlabeled test images."""

    embeddings: Tensor  # [T,D] unit rows
    logits: GaussianLogits  # T rows, C classes
    inputs: Tensor | None = None  # [T,…]
    """As the state's."""

    def rows(self, index: Tensor) -> Target:
        inputs = None if self.inputs is None else self.inputs[index]
        return Target(self.embeddings[index], self.logits.rows(index), inputs)


def _none() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


@dataclass(frozen=True, eq=False)
class AcquisitionState:
    """The pool as a strategy sees it; no labels but those given, no test data."""

    embeddings: Tensor  # [N,D] unit rows
    logits: GaussianLogits  # N rows, C classes
    labeled: Tensor  # [n] int64 rows
    labels: Tensor  # [n] int64 classes
    pending: Tensor  # [m] int64 rows out for labeling, the latest last: not proposed again, and covered
    joint: JointSampler | None = None
    """Joint draws of the logits of unit rows; None: as the logits and the rows' cosines have them."""
    target: Target | None = None
    """None: the pool itself."""
    inputs: Tensor | None = None  # [N,…]
    """What `joint` is asked about in place of unit rows, where images carry a noise of their own."""
    probvlm_score: Tensor | None = None  # [N] nats, `probal.probvlm.acquisition_score`
    """None where no ProbVLM is trained, or no strategy asks for it."""
    fitted_after: int | None = None
    """Labels after which the model is fitted again, and a new batch chosen; None: after all that is asked for."""
    closed: Tensor = field(default_factory=_none)  # [k] int64
    """Rows that were looked at and have no label to learn from, such as flagged ones: not proposed, and covered."""
    excluded: Tensor = field(default_factory=_none)  # [l] int64
    """Rows that nobody is asked about, such as near-duplicates of the audit: not proposed, and they cover nothing."""
    decided: dict[str, float] = field(default_factory=dict)
    """What the strategy decided about this batch as a whole, in numbers: it writes, the round's record reads."""

    @property
    def n_classes(self) -> int:
        return self.logits.n_classes

    @cached_property
    def uncertainty(self) -> Uncertainty:
        """Predictive and its entropies, computed once."""
        return uncertainty(self.logits)

    @cached_property
    def covered(self) -> Tensor:
        """Rows labeled, pending or closed, [n+m+k]."""
        return torch.cat([self.labeled, self.pending, self.closed])

    @cached_property
    def candidates(self) -> Tensor:
        """Rows neither covered nor excluded, in order."""
        free = torch.ones(len(self.embeddings), dtype=torch.bool)
        free[self.covered] = False
        free[self.excluded] = False
        return torch.nonzero(free).squeeze(1)

    def joint_probs(
        self, rows: Tensor, n_samples: int, generator: torch.Generator, target: Target | None = None
    ) -> Tensor:
        """Probabilities [m+T,K,C] of the pool's `rows` [m] and then the target's, draw k of one θ_k everywhere."""
        x, logits = self.embeddings[rows], self.logits.rows(rows)
        asked = x if self.inputs is None else self.inputs[rows]
        if target is not None:
            theirs = target.embeddings if target.inputs is None else target.inputs
            x, logits = torch.cat([x, target.embeddings]), _joined(logits, target.logits)
            asked = torch.cat([asked, theirs])
        if self.joint is None:
            z = correlated_logits(logits, x, n_samples, generator)
        else:
            z = self.joint(asked, n_samples, generator)
        return z.softmax(2)


@dataclass(frozen=True)
class Choice:
    """A strategy's pick: pool row, its score there (higher was better), the rule that chose, its cluster."""

    row: int
    score: float
    phase: str
    cluster: int | None = None


Strategy = Callable[[AcquisitionState, int, torch.Generator], list[Choice]]
"""At most B choices, best first, among `state.candidates`, each once."""


@dataclass(frozen=True)
class Pick:
    """A choice with its reason in full; entropies in nats, classes and images as row numbers."""

    row: int
    score: float
    phase: str
    cluster: int | None
    total: float
    aleatoric: float
    epistemic: float
    contested: tuple[tuple[int, float], ...]
    """The two likeliest classes with their probabilities."""
    nearest: int | None
    """Nearest labeled row, None before the first label."""
    similarity: float | None
    """Cosine to it."""


@single_thread()
def ask(strategy: Strategy, state: AcquisitionState, batch: int, generator: torch.Generator) -> list[Pick]:
    """Let a strategy choose `batch` rows and say why; fewer when the pool has no more.

    Raises UserError when `batch` is not positive and FloatingPointError when a score is not finite.
    """
    if batch < 1:
        raise UserError(f"a batch holds at least one image, got {batch}")
    if len(state.candidates) == 0:
        return []
    choices = strategy(state, min(batch, len(state.candidates)), generator)
    for choice in choices:
        if choice.score != choice.score or abs(choice.score) == float("inf"):
            raise FloatingPointError(f"score of row {choice.row} is {choice.score}")
    return _explain(state, choices)


def _joined(first: GaussianLogits, second: GaussianLogits) -> GaussianLogits:
    """Rows of both; they come from one posterior, so the factor is one."""
    gain = None if first.gain is None or second.gain is None else torch.cat([first.gain, second.gain])
    return GaussianLogits(
        torch.cat([first.mean, second.mean]), torch.cat([first.var, second.var]), gain, first.factor
    )


def _explain(state: AcquisitionState, choices: list[Choice]) -> list[Pick]:
    rows = torch.tensor([choice.row for choice in choices], dtype=torch.int64)
    found = state.uncertainty
    top, classes = found.predictive[rows].topk(min(2, state.n_classes), dim=1)  # [B,2]
    nearest: list[int | None] = [None] * len(choices)
    similarity: list[float | None] = [None] * len(choices)
    if len(state.labeled):
        cosine, at = (state.embeddings[rows] @ state.embeddings[state.labeled].T).max(dim=1)  # [B]
        nearest, similarity = state.labeled[at].tolist(), cosine.tolist()
    return [
        Pick(
            row=choice.row,
            score=choice.score,
            phase=choice.phase,
            cluster=choice.cluster,
            total=float(found.total[choice.row]),
            aleatoric=float(found.aleatoric[choice.row]),
            epistemic=float(found.epistemic[choice.row]),
            contested=tuple(zip(classes[i].tolist(), top[i].tolist(), strict=True)),
            nearest=nearest[i],
            similarity=similarity[i],
        )
        for i, choice in enumerate(choices)
    ]
