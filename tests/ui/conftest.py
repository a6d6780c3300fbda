from tests.drawn import ready, workspace
from tests.pages.conftest import no_cookies

__all__ = ["no_cookies", "ready", "workspace"]
