"""Looking around in a pool: a map, filters, search, near-duplicates, clusters, and what to do with what is found.

Pages read here and the worker writes here; numpy and scikit-learn, no torch. The images of the audit and the test
set are left out everywhere: they must be labeled blind.
"""

from probal.explore.catalog import Catalog, catalog_key, load_catalog
from probal.explore.filters import Filter, matching

__all__ = ["Catalog", "Filter", "catalog_key", "load_catalog", "matching"]
