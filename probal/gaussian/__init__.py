"""Gaussians over embeddings, and the Gaussian logits that their cosine gives."""

from probal.gaussian.cosine import cosine_logits, cosine_moments, shared_factor
from probal.gaussian.embedding import GaussianEmbedding
from probal.gaussian.logits import GaussianLogits

__all__ = ["GaussianEmbedding", "GaussianLogits", "cosine_logits", "cosine_moments", "shared_factor"]
