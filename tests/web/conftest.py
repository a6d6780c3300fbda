from tests.browser import browser
from tests.drawn import ready, workspace

__all__ = ["browser", "ready", "workspace"]
