"""BayesVLM: a Laplace posterior over the last projection of each tower of a vision-language model."""

from probal.posterior.baseline import constant_leverage, fit_temperature, tempered
from probal.posterior.curvature import Curvature, measure, measure_label_free, measure_pairs
from probal.posterior.evidence import fit_prior_precision, log_evidence
from probal.posterior.ggn import InfoNCE, Likelihood, SigLIP
from probal.posterior.kron import Damping, KroneckerPrecision
from probal.posterior.laplace import TowerPosterior, fit_posterior
from probal.posterior.neighbours import Distance, expected_cosine, nearest_to_targets, wasserstein
from probal.posterior.projection import Projection, span_of
from probal.posterior.published import Published, PublishedTower, load_published
from probal.posterior.saved import load_posterior, save_posterior

__all__ = [
    "Curvature",
    "Damping",
    "Distance",
    "InfoNCE",
    "KroneckerPrecision",
    "Likelihood",
    "Projection",
    "Published",
    "PublishedTower",
    "SigLIP",
    "TowerPosterior",
    "constant_leverage",
    "expected_cosine",
    "fit_posterior",
    "fit_prior_precision",
    "fit_temperature",
    "load_posterior",
    "load_published",
    "log_evidence",
    "measure",
    "measure_label_free",
    "measure_pairs",
    "nearest_to_targets",
    "save_posterior",
    "span_of",
    "tempered",
    "wasserstein",
]
