"""How good a classifier is, and how sure one may be of that: metrics, the audit set and its interval."""

from probal.evaluation.audit import (
    PRELIMINARY_BELOW,
    accuracy_interval,
    audit_size,
    draw_audit,
    extend_audit,
)
from probal.evaluation.metrics import accuracy, brier, ece, nll

__all__ = [
    "PRELIMINARY_BELOW",
    "accuracy",
    "accuracy_interval",
    "audit_size",
    "brier",
    "draw_audit",
    "ece",
    "extend_audit",
    "nll",
]
