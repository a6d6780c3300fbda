import pytest

from tests.drawn import ready, workspace

__all__ = ["ready", "workspace"]


@pytest.fixture(autouse=True)
def no_cookies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser without any: AppTest has no browser, and answers with a mock."""
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.cookies", property(lambda _: {}))
