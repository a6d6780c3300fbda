"""Signing in by OpenID Connect in a browser, with a provider of the test's own behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from probal.types import Project
from probal.web.security import TOKEN_HEADER
from probal.workspace import Workspace
from tests.browser import open_window
from tests.drawn import ready, workspace
from tests.e2e.oidc import CLIENT, SECRET, Provider, provider
from tests.e2e.server import running
from tests.pages.test_pages import Make
from tests.patience import SECONDS

__all__ = ["ready", "workspace"]
pytestmark = pytest.mark.browser
NAME = "ada@example.org"


@pytest.fixture
def project(ready: Make) -> Project:
    return ready()


@pytest.fixture
def known() -> Iterator[Provider]:
    with provider(
        {"name": "Ada Lovelace", "email": "Ada@example.org", "email_verified": True}
    ) as running_provider:
        yield running_provider


@pytest.fixture
def url(
    workspace: Workspace, project: Project, known: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The app with sign-in in the secrets of the user who runs it."""
    secrets = tmp_path / "home" / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir(parents=True)
    secrets.write_text(
        "[auth]\n"
        'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
        'cookie_secret = "a-long-secret-for-the-cookies-of-the-test"\n'
        f'client_id = "{CLIENT}"\n'
        f'client_secret = "{SECRET}"\n'
        f'server_metadata_url = "{known.url}/.well-known/openid-configuration"\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with running(workspace.path, tmp_path / "log") as address:
        yield address


def test_the_name_comes_from_the_sign_in_and_stays(
    browser: Browser, url: str, workspace: Workspace, project: Project
) -> None:
    page = open_window(browser, height=900)
    tokens = set()
    page.on("request", lambda request: tokens.add(request.headers.get(TOKEN_HEADER.lower())))
    page.goto(f"{url}/label?project=shapes")
    expect(page.get_by_role("heading", name="Sign in to ProbAL")).to_be_visible()
    expect(page.get_by_test_id("labeler")).to_have_count(0)
    page.goto(f"{url}/export?project=shapes")
    expect(page.get_by_role("heading", name="Sign in to ProbAL")).to_be_visible()
    assert workspace.token not in page.content()

    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_test_id("person")).to_have_text(NAME)
    expect(page.get_by_test_id("person")).to_be_disabled()
    expect(page.get_by_text(f"Signed in as {NAME}")).to_be_visible()
    page.wait_for_selector("[data-testid=labeler][data-image-id]")
    page.keyboard.press("1")
    expect(page.get_by_test_id("save-state")).to_have_text("All saved")
    (event,) = [one.event for one in workspace.store.events(project.id)]
    assert event.annotator == NAME

    (token,) = tokens - {None}
    assert token != workspace.token
    call = f"{url}/api/projects/shapes/lease"
    other = httpx.post(call, json={"annotator": "Grace"}, headers={TOKEN_HEADER: token}, timeout=SECONDS)
    assert (other.status_code, "signed in as 'ada@example.org'" in other.json()["detail"]) == (403, True)
    assert (
        httpx.post(call, json={"annotator": NAME}, headers={TOKEN_HEADER: token}, timeout=SECONDS).status_code
        == 200
    )

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to ProbAL")).to_be_visible()
    page.context.close()
