"""Through a page by Tab alone: what is reached, whether it has a name, and whether one sees where the focus is."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

MOST = 400
# A control is what someone could want to use with a mouse; of those that share one Tab stop (tabs, options, radio
# buttons: arrows go between them) the stop alone must be reached.
PREPARE = """() => {
    const part = document.querySelector("[data-testid=stMain]");
    const look = (element) => {
        let said = "";
        for (let e = element, up = 0; e && up < 4; e = e.parentElement, up++) {
            for (const pseudo of [null, "::before", "::after"]) {
                const css = getComputedStyle(e, pseudo);
                said += [css.outline, css.boxShadow, css.border, css.backgroundColor, css.color, css.opacity].join();
            }
        }
        return said;
    };
    const seen = (element) => element.checkVisibility({opacityProperty: true, visibilityProperty: true})
        && element.getClientRects().length && !element.closest("[inert], [aria-hidden=true]");
    const named = "button, a[href], input, select, textarea, summary, [role=button], [role=slider], [role=tab], "
        + "[role=option], [role=checkbox], [role=radio], [role=link]";
    const group = "[role=tablist], [role=listbox], [role=radiogroup], [role=toolbar], [data-testid=stPagination]";
    window.keyboard = {look, controls: new Map()};
    for (const element of part.querySelectorAll(named)) {
        if (element.disabled || element.ariaDisabled === "true") continue;
        // taken out of the round on purpose, such as the two steps of a number, which its arrow keys take
        if (element.getAttribute("tabindex") === "-1" && !element.closest(group)) continue;
        if (!seen(element.closest("label") ?? element)) continue;
        keyboard.controls.set(element, {reached: false, group: element.closest(group), look: look(element)});
    }
    const head = document.createElement("span"); // Tab goes on from the last click, unless something has the focus
    head.tabIndex = -1;
    document.body.prepend(head);
    head.focus();
    head.remove();
}"""
STEP = """async () => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const known = keyboard.controls.get(element);
    const again = known?.reached ?? false;
    if (known) known.reached = true;
    const plain = () => known?.look === keyboard.look(element);
    for (let i = 0; i < 300 && plain(); i++) await new Promise(requestAnimationFrame); // a ring may fade in
    return {again, html: element.outerHTML.slice(0, 160), plain: plain()};
}"""
MISSED = """() => [...keyboard.controls].filter(([element, {reached, group}]) => !reached && element.isConnected
    && ![...keyboard.controls.values()].some((other) => group && other.group === group && other.reached))
    .map(([element]) => element.outerHTML.slice(0, 200))"""


@dataclass(frozen=True)
class Walk:
    """What a round of Tab through the page came to."""

    controls: int
    """Controls there are."""
    missed: tuple[str, ...]
    """Controls that no Tab reached."""
    unseen: tuple[str, ...]
    """Controls that look the same with the focus as without."""


def walk(page: Page) -> Walk:
    """Tab from the head of the document until the focus leaves it, or is where it was."""
    page.evaluate(PREPARE)
    unseen = []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        at = page.evaluate(STEP)
        if at is None or at["again"]:
            break
        if at["plain"]:
            unseen.append(at["html"])
    return Walk(page.evaluate("keyboard.controls.size"), tuple(page.evaluate(MISSED)), tuple(unseen))
