"""BayesVLM: a Laplace posterior over the last projection of each tower of a vision-language model."""

from probal.posterior.curvature import Curvature, measure, measure_label_free, measure_pairs
from probal.posterior.evidence import fit_prior_precision, log_evidence
from probal.posterior.ggn import InfoNCE, Likelihood, SigLIP
from probal.posterior.kron import Damping, KroneckerPrecision
from probal.posterior.laplace import TowerPosterior, fit_posterior
from probal.posterior.projection import Projection

__all__ = [
    "Curvature",
    "Damping",
    "InfoNCE",
    "KroneckerPrecision",
    "Likelihood",
    "Projection",
    "SigLIP",
    "TowerPosterior",
    "fit_posterior",
    "fit_prior_precision",
    "log_evidence",
    "measure",
    "measure_label_free",
    "measure_pairs",
]
