"""What axe-core holds against a part of a page."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RUN = """async (root) => {
    // colours in the middle of a transition are nobody's
    const passing = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(passing.map((one) => one.finished));
    const {violations} = await axe.run(root, {resultTypes: ["violations"]});
    return violations.filter(({impact}) => impact === "serious" || impact === "critical").flatMap(
        ({id, nodes}) => nodes.map(({html, failureSummary}) => `${id}: ${html.slice(0, 160)} ${failureSummary}`));
}"""


def findings(page: Page, root: str = "[data-testid=stMain]") -> list[str]:
    """Serious and critical findings inside `root` (all of the page but Streamlit's header and sidebar).

    Only those that stay: a page that is being drawn, or is changing its colours, is asked again.
    """
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    for _ in range(60):
        if not (found := page.evaluate(RUN, root)):
            return []
        page.wait_for_timeout(500)
    return list(found)
