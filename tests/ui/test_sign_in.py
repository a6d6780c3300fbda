"""The door before the pages, as Streamlit runs it; tests/e2e/test_sign_in.py goes through it."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from probal import validate
from probal.ui.context import identity
from probal.ui.sign_in import providers
from probal.workspace import Workspace
from tests import patience
from tests.pages.test_pages import PAGES, Make

ONE = {"client_id": "a", "client_secret": "b", "server_metadata_url": "c"}


def test_one_provider_has_one_button_and_several_have_one_each() -> None:
    assert providers({"cookie_secret": "x", **ONE}) == {"Sign in": None}
    assert providers({"redirect_uri": "u", "google": ONE, "lab": ONE}) == {
        "Sign in with Google": "google",
        "Sign in with Lab": "lab",
    }


ADA = {
    "iss": "https://one",
    "sub": "1",
    "name": "Ada Lovelace",
    "email": "Ada@Example.org",
    "email_verified": True,
}


def test_who_signed_in_is_the_address_that_the_provider_vouches_for() -> None:
    assert identity(ADA) == "ada@example.org"
    assert identity({**ADA, "name": "Somebody else"}) == "ada@example.org"
    assert identity({"iss": "https://one", "sub": "1"}) is None


def test_nobody_takes_anothers_name_by_calling_himself_so() -> None:
    bare = {each: ADA[each] for each in ("iss", "sub", "name")}
    told = {
        identity(claims)
        for claims in (
            ADA,
            {**ADA, "email_verified": False},
            {**bare, "sub": "2"},
            {**bare, "iss": "https://two"},
            {**bare, "name": "ada@example.org"},
            {**bare, "name": f"{identity(bare)}", "sub": "3"},
        )
    }
    assert len(told) == 6
    assert identity({**ADA, "email_verified": False}) == identity(bare)


@pytest.mark.parametrize(
    "name", ["Zo\u0065\u0308", " a\u202eb ", "x" * 300, "y" * 89 + " " * 9 + "z", "\u200b.\t"]
)
def test_what_a_provider_tells_can_be_labeled_under(name: str) -> None:
    given = identity({"iss": "https://one", "sub": "1", "name": name})
    assert given is not None
    assert validate.annotator(given) == given


def navigation(secrets: dict[str, Any]) -> AppTest:
    app = AppTest.from_file(str(PAGES / "navigation.py"), default_timeout=patience.SECONDS)
    app.secrets = secrets
    return app.run()


@pytest.mark.parametrize(
    ("auth", "buttons", "error"),
    [(ONE, ["Sign in"], None), ({"cookie_secret": "x"}, [], "names no provider")],
)
def test_the_door_is_shut_and_says_what_to_do(
    ready: Make, workspace: Workspace, auth: dict[str, str], buttons: list[str], error: str | None
) -> None:
    ready()
    app = navigation({"auth": auth})
    assert not app.exception
    assert [title.value for title in app.title] == ["Sign in to ProbAL"]
    assert [button.label for button in app.button] == buttons
    assert [error is not None and error in one.value for one in app.error] == [True] * (error is not None)


def test_without_it_there_is_no_door(ready: Make, workspace: Workspace) -> None:
    ready()
    app = navigation({"other": "thing"})
    assert not app.exception
    assert not any(button.label.startswith("Sign") for button in app.button)


def test_without_the_package_the_page_says_which_extra(
    ready: Make, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready()
    monkeypatch.setattr("probal.ui.sign_in.find_spec", lambda name: None)
    app = navigation({"auth": ONE})
    assert "extra login" in app.error[0].value
    assert not app.button
