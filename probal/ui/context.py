"""What every page starts from: the workspace, and the project that the address names."""

from __future__ import annotations

import getpass
import hashlib
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import streamlit as st

from probal import validate
from probal.types import Project
from probal.workspace import Workspace

PARAMETER = "project"
LOGO = str(Path(__file__).with_name("logo.svg"))
FRAME_STYLE = Path(__file__).with_name("frame.css")
"""What every page's own parts add to the theme."""
_CHOOSER = "project_chooser"
_PERSON = "person"
_LEFT = "project_left"
_SETTLED = 5.0
"""Seconds within which the browser knows the address that a choice gave it, refreshes on their way included."""
_ACCOUNT = 8
"""Hex digits that stand for an account."""


def open_workspace() -> Workspace:
    """The workspace of PROBAL_WORKSPACE, opened once per process; pages and API share it."""
    return _open(Workspace.default_path())


@cache
def _open(path: Path) -> Workspace:
    return Workspace(path)


def workspace_id(workspace: Workspace) -> str:
    """Tells workspaces apart in the browser's storage, without telling where they lie."""
    return hashlib.sha256(str(workspace.path.resolve()).encode()).hexdigest()[:12]


def signed_in() -> str | None:
    """Under what who signed in by `st.login` answers; None where no sign-in is configured, or before it."""
    return identity(st.user.to_dict()) if st.user.get("is_logged_in", False) else None


def identity(claims: Mapping[str, Any]) -> str | None:
    """What tells a person from all others: the address that the provider vouches for, else name and account.

    At many providers people choose their own display name, so that a name alone could be taken from another.

    Args:
        claims: of OpenID Connect (Core 1.0, section 5.1).

    Returns:
        A name to label under; None where the provider tells none.
    """
    email = validate.clean(str(claims.get("email") or "")).lower()
    if email and claims.get("email_verified") in (True, "true") and len(email) <= validate.MAX_NAME:
        return email
    name = "".join(char for char in str(claims.get("name") or email) if char.isprintable())
    account = hashlib.sha256(f"{claims.get('iss')} {claims.get('sub')}".encode()).hexdigest()[:_ACCOUNT]
    shown = validate.clean(validate.clean(name)[: validate.MAX_NAME - _ACCOUNT - 2])
    return f"{shown} #{account}" if shown else None


def annotator() -> str:
    """Who answers on a page: who signed in, else the name given in this browser, else `suggested_name`."""
    return signed_in() or st.session_state.get(_PERSON) or _remembered() or suggested_name()


def call_me(name: str) -> None:
    """Answer under this name from now on, on every page of this session; a sign-in goes before it."""
    st.session_state[_PERSON] = name.strip()


def _remembered() -> str:
    """The name that the labeler keeps in the browser, in a cookie for the other pages."""
    cookie = st.context.cookies.get(f"probal_person_{workspace_id(open_workspace())}", "")
    return unquote(cookie)[: validate.MAX_NAME].strip()


def suggested_name() -> str:
    """A name to begin with: that of the person who runs the server."""
    try:
        return getpass.getuser()
    except OSError:
        return "me"


def current_project() -> Project | None:
    """The project that the address names, else the one chosen before, else the newest; None if there is none.

    Keeps the address in step, so that a reload and a shared link find the same project. For some seconds after a
    choice the address that it left does not count: a timed refresh that was under way then still carries it.
    """
    projects = {project.name: project for project in open_workspace().store.projects()}
    address = st.query_params.get(PARAMETER)
    left, since = st.session_state.get(_LEFT, (None, 0.0))
    if address == left and time.monotonic() - since < _SETTLED:
        address = None
    wanted = (address, st.session_state.get(PARAMETER))
    name = next((name for name in wanted if name in projects), next(reversed(projects), None))
    if name is None:
        return None
    choose(name)
    return projects[name]


def choose(name: str) -> None:
    """Make this the current project, in this session and in the address."""
    before = st.session_state.get(PARAMETER)
    st.session_state[PARAMETER] = name
    if st.query_params.get(PARAMETER) != name:
        st.query_params[PARAMETER] = name
        if before not in (None, name):
            st.session_state[_LEFT] = (before, time.monotonic())


def project_chooser() -> None:
    """The list of projects in the sidebar; nothing while there is at most one."""
    names = [project.name for project in open_workspace().store.projects()]
    current = current_project()
    if current is None or len(names) < 2:
        return
    st.session_state[_CHOOSER] = current.name
    st.sidebar.selectbox("Project", names, key=_CHOOSER, on_change=_chosen)


def _chosen() -> None:
    choose(st.session_state[_CHOOSER])


def require_project() -> Project:
    """The current project; without any, the page says what to do and ends here."""
    project = current_project()
    if project is None:
        empty_state("No project yet", "A project is a folder of images and a list of class names.")
        if st.button("Create a project", type="primary"):
            st.switch_page("pool.py")
        st.stop()
    return project


def empty_state(title: str, text: str) -> None:
    """What stands where there is nothing to show: what is missing, and what to do about it."""
    st.subheader(title, anchor=False)
    st.write(text)
