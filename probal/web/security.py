"""Who may call: the token in a header, signed image addresses, and no foreign names for this machine.

The token never stands in an address, where logs and histories would keep it. An image's address carries a
signature instead, an HMAC of its content hash under the token: it opens that one image and nothing else, so an
`<img>` element can use it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
from urllib.parse import urlsplit

TOKEN_HEADER = "X-ProbAL-Token"
HOSTS_VARIABLE = "PROBAL_ALLOWED_HOSTS"
LOCAL_SUFFIXES = (".localhost", ".local")
PERSON_SECONDS = 30 * 24 * 3600
"""As long as Streamlit's own cookie of a sign-in lasts."""


def same_secret(given: str | None, expected: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing about where they differ."""
    return given is not None and hmac.compare_digest(given.encode(), expected.encode())


def person_token(token: str, name: str, now: float) -> str:
    """A token that answers under one name only, for the browser of who signed in.

    The same throughout a stretch of `PERSON_SECONDS` (`now` in seconds since 1970), so that a page that runs again
    does not change it. It holds to the end of the next stretch: who may sign in no more is out by then.
    """
    return f"{_tag(token, name, _stretch(now))}.{base64.urlsafe_b64encode(name.encode()).decode()}"


def person_of(given: str | None, token: str, now: float) -> str | None:
    """The name that a person's token speaks for at `now`; None where it is none, or too old."""
    tag, _, name = (given or "").partition(".")
    try:
        found = base64.urlsafe_b64decode(name).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    known = [same_secret(tag, _tag(token, found, _stretch(now) - age)) for age in (0, 1)]
    return found if found and any(known) else None


def _stretch(now: float) -> int:
    return int(now // PERSON_SECONDS)


def _tag(token: str, name: str, stretch: int) -> str:
    return hmac.new(token.encode(), f"person {stretch} {name}".encode(), hashlib.sha256).hexdigest()


def sign_image(token: str, content_hash: str) -> str:
    """The signature in the address of an image: 32 hex digits, the same for all its sizes."""
    return hmac.new(token.encode(), content_hash.encode(), hashlib.sha256).hexdigest()[:32]


def image_url(token: str, content_hash: str, size: int) -> str:
    """Address of an image of one of `THUMBNAIL_SIZES`, from the root of the server."""
    return f"/media/{content_hash}/{size}?t={sign_image(token, content_hash)}"


def host_problem(host: str | None) -> str | None:
    """Why a request under this `Host` header is refused, or None.

    A page on the internet can have its own name resolved to 127.0.0.1 and then talk to us as if it were of the
    same origin (DNS rebinding). That takes a name with a dot, so such names must be allowed on purpose.
    """
    name = urlsplit(f"//{host or ''}").hostname
    if name is None:
        return "the request carries no Host header"
    allowed = {entry.strip().lower() for entry in os.environ.get(HOSTS_VARIABLE, "").split(",")}
    if name in allowed or "*" in allowed or "." not in name or name.endswith(LOCAL_SUFFIXES):
        return None
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return f"the name {name!r} is not one of this server's: start it with {HOSTS_VARIABLE}={name} to allow it"
    return None
