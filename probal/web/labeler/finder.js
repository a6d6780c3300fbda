/* finder.js: many classes: type a part of the name, or take one used lately. */

const FIND_FROM = 16; // classes from which the field is there
const RECENT = 6;

/** How well a name fits what was typed: 0 begins with it, 1 a word does, 2 holds it; undefined: not at all. */
function fit(name, typed) {
  const [where, what] = [name.toLowerCase(), typed.toLowerCase()];
  if (where.startsWith(what)) return 0;
  if (where.split(/[\s\-_/]+/).some((word) => word.startsWith(what))) return 1;
  return where.includes(what) ? 2 : undefined;
}

class Finder {
  /** `buttons`: class id -> {button, name}; `choose` labels; `leave` gives the focus back to the image. */
  constructor({ buttons, choose, leave, storageKey }) {
    Object.assign(this, { buttons, choose, leave, storageKey });
    this.shares = new Map();
    this.recent = this.restore();
    this.input = make("input", {
      cls: "pal-find", type: "text", role: "combobox", placeholder: "Find a class: press / and type",
      "aria-label": "Find a class", "aria-expanded": "true", "aria-controls": "pal-classes", autocomplete: "off",
      spellcheck: "false", "data-testid": "find",
    });
    this.input.addEventListener("input", () => this.filter());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("focus", () => this.filter());
    this.input.addEventListener("blur", () => this.clear());
    this.chips = make("div", { cls: "pal-recent", role: "group", "aria-label": "Classes used lately" });
    this.root = make("div", { cls: "pal-finder" }, this.input, this.chips);
    this.root.hidden = buttons.size < FIND_FROM;
    this.showRecent();
  }

  open() {
    if (this.root.hidden) return false;
    this.input.focus();
    return true;
  }

  /** The prediction of the image on screen; ranks what fits equally well. */
  expect(shares) {
    this.shares = shares;
    if (this.input === document.activeElement) this.filter();
  }

  used(id) {
    this.recent = [id, ...this.recent.filter((other) => other !== id)].slice(0, RECENT);
    try {
      localStorage.setItem(this.storageKey, JSON.stringify(this.recent));
    } catch {
      // Forbidden storage: they last as long as the page.
    }
    if (!this.root.hidden) this.showRecent();
  }

  restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.storageKey)) ?? [];
      return kept.filter((id) => this.buttons.has(id)).slice(0, RECENT);
    } catch {
      return [];
    }
  }

  showRecent() {
    const chips = this.recent.map((id) => {
      const chip = make("button", { cls: "pal-chip", type: "button", text: this.buttons.get(id).name });
      chip.addEventListener("mousedown", (event) => event.preventDefault());
      chip.addEventListener("click", (event) => this.choose(id, event.timeStamp));
      return chip;
    });
    this.chips.replaceChildren(...chips);
  }

  filter() {
    const typed = this.input.value.trim();
    const ranked = [];
    for (const [id, { button, name }] of this.buttons) {
      const rank = fit(name, typed);
      button.hidden = rank === undefined;
      if (rank !== undefined) ranked.push([rank - (this.shares.get(id) ?? 0) / 2, id]);
    }
    ranked.sort(([one], [other]) => one - other);
    this.hits = ranked.map(([, id]) => id);
    this.hits.forEach((id, place) => (this.buttons.get(id).button.style.order = String(place)));
    this.point(0);
  }

  point(place) {
    this.buttons.get(this.hit)?.button.classList.remove("pal-hit");
    this.at = Math.max(0, Math.min(this.hits.length - 1, place));
    this.hit = this.hits[this.at];
    const found = this.buttons.get(this.hit)?.button;
    found?.classList.add("pal-hit");
    found?.scrollIntoView({ block: "nearest" });
    if (found) this.input.setAttribute("aria-activedescendant", found.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  clear() {
    this.input.value = "";
    this.buttons.get(this.hit)?.button.classList.remove("pal-hit");
    this.hit = undefined;
    for (const { button } of this.buttons.values()) {
      button.hidden = false;
      button.style.order = "";
    }
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.point(this.at + step);
    else if (event.key === "Enter" && this.hit !== undefined && !event.repeat) this.take(event.timeStamp);
    else if (event.key === "Escape") this.leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  take(at) {
    const { hit } = this;
    this.leave();
    this.choose(hit, at);
  }
}
