"""Everything that must be remembered: projects, images, labels, rounds, jobs, measurements.

The only room that knows SQLAlchemy; it takes and returns the frozen records of `probal.types`.
"""

from probal.store.annotators import REFERENCE
from probal.store.store import Store

__all__ = ["REFERENCE", "Store"]
