"""ProbVLM (arXiv 2307.00398): distributions around frozen embeddings, and what they are good for."""

from probal.probvlm.density import GeneralizedGaussian
from probal.probvlm.embedding import ProbEmbedding
from probal.probvlm.model import ProbVLM, Settings, load
from probal.probvlm.select import Candidate, RankedEncoder, rank_encoders
from probal.probvlm.train import Pairs, train
from probal.probvlm.uses import (
    acquisition_score,
    ambiguity_threshold,
    ambiguous,
    nearest_to_samples,
    retrieval_spread,
    retrieval_surprise,
)

__all__ = [
    "Candidate",
    "GeneralizedGaussian",
    "Pairs",
    "ProbEmbedding",
    "ProbVLM",
    "RankedEncoder",
    "Settings",
    "acquisition_score",
    "ambiguity_threshold",
    "ambiguous",
    "load",
    "nearest_to_samples",
    "rank_encoders",
    "retrieval_spread",
    "retrieval_surprise",
    "train",
]
