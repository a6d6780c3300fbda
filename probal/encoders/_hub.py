"""Fetching weights from the hub without a minute of retries, or pages of warnings, where there is no network."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@contextmanager
def fetching() -> Iterator[None]:
    """Mutes the loggers, whose errors the caller raises anyway, and goes offline if the hub has no address.

    Offline means that cached files still load and a missing one fails at once. Not safe in two threads at
    the same time: both settings belong to the process.
    """
    from huggingface_hub import constants

    root, mute, level = logging.getLogger(), logging.NullHandler(), logging.root.manager.disable
    root.addHandler(mute)  # or open_clip's first message would give the process a handler of its own
    logging.disable(logging.CRITICAL)
    offline = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = offline or not hub_reachable()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        logging.disable(level)
        root.removeHandler(mute)


def hub_reachable() -> bool:
    """Whether the hub's name resolves; True behind a proxy, which resolves names itself. Sends it nothing."""
    from huggingface_hub import constants

    if any(os.environ.get(name) for name in _PROXIES):
        return True
    url = urlsplit(constants.ENDPOINT)
    try:
        socket.getaddrinfo(url.hostname, url.port or 443)
    except OSError:
        return False
    return True
