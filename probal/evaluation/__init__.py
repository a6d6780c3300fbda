"""How good a classifier is, and how sure one may be of that: metrics, the audit set and its interval."""

from probal.evaluation.audit import (
    PRELIMINARY_BELOW,
    accuracy_interval,
    audit_size,
    draw_audit,
    extend_audit,
)
from probal.evaluation.confidence_sequence import anytime_interval, spent_level
from probal.evaluation.drift import Drift, detect_drift
from probal.evaluation.learning_curve import Projection, project_gain
from probal.evaluation.metrics import accuracy, debiased_ece, ece, nll, reliability
from probal.evaluation.mistakes import (
    Agreement,
    OddAnnotator,
    class_agreement,
    odd_annotators,
    repeat_agreement,
    suspicious_labels,
)
from probal.evaluation.risk_control import Certificate, certify, count_bound
from probal.evaluation.selective import RiskCoverage, aurc, auroc, risk_coverage
from probal.evaluation.stopping import StoppingAdvice, Verdict, stopping_advice

__all__ = [
    "PRELIMINARY_BELOW",
    "Agreement",
    "Certificate",
    "Drift",
    "OddAnnotator",
    "Projection",
    "RiskCoverage",
    "StoppingAdvice",
    "Verdict",
    "accuracy",
    "accuracy_interval",
    "anytime_interval",
    "audit_size",
    "aurc",
    "auroc",
    "certify",
    "class_agreement",
    "count_bound",
    "debiased_ece",
    "detect_drift",
    "draw_audit",
    "ece",
    "extend_audit",
    "nll",
    "odd_annotators",
    "project_gain",
    "reliability",
    "repeat_agreement",
    "risk_coverage",
    "spent_level",
    "stopping_advice",
    "suspicious_labels",
]
