"""Quick hands: keys at random gaps while the model refits, and what became of each of them.

Drives the whole app from outside; `test_quick_hands.py` asserts on it, `benchmarks/quick_hands.py` measures it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from playwright.sync_api import Page, WebSocket

from probal.store import Store
from probal.types import Project
from tests.web.harness import PAINTED

GAPS_MS = (30, 300)

# Notes in the page, by the browser's clock and from the marks in the document alone: every key with the painting
# that was on screen, every painting with the frame after the one that brought it, every key shown as ignored.
WATCH = """() => {
    const root = () => document.querySelector("[data-testid=labeler]")?.dataset ?? {};
    window.struck = [];
    window.paintings = [];
    window.ignoredKeys = 0;
    let dry = false;
    window.addEventListener("keydown", (event) => struck.push({
        key: event.key, image: Number(root().imageId ?? 0), seq: Number(root().seq ?? 0), at: event.timeStamp,
    }), true);
    new MutationObserver((changes) => {
        ignoredKeys += changes.filter((change) => change.attributeName === "data-ignored").length;
        const seq = Number(root().seq ?? 0);
        if (!seq) dry = true; // the surface says that no image is there
        if (!seq || seq === paintings.at(-1)?.seq) return;
        const painting = {seq, at: Infinity, prefetched: !dry};
        dry = false;
        paintings.push(painting);
        requestAnimationFrame(() => (painting.at = performance.now()));
    }).observe(document.body, {subtree: true, attributes: true, attributeFilter: ["data-seq", "data-ignored"]});
}"""


@dataclass(frozen=True)
class Struck:
    """A key, with the image and the number of the painting that were on screen when it was struck."""

    key: str
    image: int
    seq: int
    at: float
    """Milliseconds of the browser's clock."""


@dataclass(frozen=True)
class Hands:
    """What was struck and what was seen."""

    struck: tuple[Struck, ...]
    ignored: int
    """Keys that the surface showed as not counted."""
    painted_at: dict[int, float]
    """Milliseconds by number of the painting; only of images that were at hand when their turn came."""


@contextmanager
def counted_requests(page: Page) -> Iterator[list[bytes | str]]:
    """Messages to Streamlit's server while the block runs: each script run that the browser asks for is one."""
    sent: list[bytes | str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda message: sent.append(message))

    page.on("websocket", listen)
    yield sent
    page.remove_listener("websocket", listen)


def quiet(page: Page, sent: list[bytes | str]) -> int:
    """Waits until the page has had nothing to send for two seconds; how many messages it sent before."""
    while True:
        n = len(sent)
        page.wait_for_timeout(2000)
        if len(sent) == n:
            return n


def strike_keys(
    page: Page,
    n: int,
    seed: int,
    keys: str = "123",
    before: Callable[[int], None] = lambda i: None,
    counted: int = 0,
) -> Hands:
    """Strikes `n` keys at random gaps of `GAPS_MS`; `before` is called ahead of each with its number.

    Where fewer than `counted` of them counted (a slow machine paints fewer images in a gap), it goes on until so
    many did.
    """
    page.wait_for_selector(PAINTED)
    page.evaluate(WATCH)
    generator = random.Random(seed)
    for i in itertools.count():
        if i >= n and page.evaluate("struck.length - ignoredKeys") >= counted:
            break
        before(i)
        page.keyboard.press(generator.choice(keys))
        page.wait_for_timeout(generator.randint(*GAPS_MS))
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    struck = tuple(Struck(**one) for one in page.evaluate("struck"))
    painted_at = {one["seq"]: one["at"] for one in page.evaluate("paintings") if one["prefetched"]}
    return Hands(struck, page.evaluate("ignoredKeys"), painted_at)


def check_stored(hands: Hands, store: Store, project: Project, after_row: int = 0) -> list[Struck]:
    """The keys that counted: each is in the log behind `after_row` once, on its image, in the order of striking.

    AssertionError where an event has no key, a key has two events, or one is neither stored nor shown as ignored.
    """
    keys = {info.id: info.key for info in store.classes(project.id)}
    events = [stored.event for stored in store.events(project.id, after_row)]
    struck = {(one.seq, one.image, one.key): one for one in reversed(hands.struck)}
    counted = []
    for event in events:
        told = (event.seq, event.image_id, keys[event.class_id or 0])
        assert told in struck, f"{told} was stored and never struck"
        counted.append(struck[told])
    assert all(one.seq < other.seq and one.at < other.at for one, other in pairwise(counted))
    assert len({one.image for one in counted}) == len(counted)
    assert len(hands.struck) - len(counted) == hands.ignored, (len(hands.struck), len(counted), hands.ignored)
    return counted


def latencies_ms(hands: Hands, counted: list[Struck]) -> list[float]:
    """From each counted key to the frame after the next image was put in place, where that was fetched ahead."""
    following = {one.seq: hands.painted_at.get(other.seq) for one, other in pairwise(counted)}
    return [at - one.at for one in counted if (at := following.get(one.seq)) is not None]
