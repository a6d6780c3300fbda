"""Signing in by OpenID Connect, where the server's secrets configure it; nothing where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import streamlit as st

from probal.ui.context import signed_in
from probal.ui.new_project import escape

_SINGLE = "client_id"
"""Stands directly under `[auth]` where there is one provider; each of several has a section of its own."""


def configured() -> Mapping[str, Any] | None:
    """The section `[auth]` of the secrets, None where there is none."""
    if not st.secrets.load_if_toml_exists():
        return None
    found: Mapping[str, Any] | None = st.secrets.get("auth")
    return found


def providers(auth: Mapping[str, Any]) -> dict[str, str | None]:
    """What each button says, and what `st.login` takes."""
    if _SINGLE in auth:
        return {"Sign in": None}
    named = [name for name, value in auth.items() if isinstance(value, Mapping)]
    return {f"Sign in with {name.capitalize()}": name for name in named}


def require_sign_in() -> None:
    """Where sign-in is configured: the door before every page, and the way out. Otherwise nothing at all."""
    auth = configured()
    if auth is None:
        return
    name = signed_in()
    if name is None:
        _door(auth)
        st.stop()
    st.sidebar.caption(f"Signed in as {escape(name)}")
    st.sidebar.button("Sign out", icon=":material/logout:", on_click=st.logout)


def _door(auth: Mapping[str, Any]) -> None:
    st.title("Sign in to ProbAL", anchor=False)
    if find_spec("authlib") is None:
        st.error(
            "Sign-in is configured, and the package that does it is missing: install the extra login, then start "
            "the server again.",
            icon=":material/error:",
        )
        return
    found = providers(auth)
    if not found:
        st.error(
            "The section [auth] of the secrets names no provider: give it a client_id, or a section of its own "
            "such as [auth.google].",
            icon=":material/error:",
        )
        return
    if st.user.get("is_logged_in", False):
        st.error(
            "The provider told neither a name nor an e-mail address, so that labels would be nobody's: allow it to "
            "(scopes profile and email), then sign in anew.",
            icon=":material/error:",
        )
        st.button("Sign out", icon=":material/logout:", on_click=st.logout)
        return
    st.write("Every label keeps the name of who gave it, and that name comes from here.")
    for text, provider in found.items():
        st.button(text, type="primary", icon=":material/login:", on_click=st.login, args=(provider,))
