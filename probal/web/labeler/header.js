/* header.js: the line above the image: how far, how (one by one or as a grid), who, and whether all is saved. */

class Header {
  /** `act` holds `mode` and `person`. */
  constructor(act) {
    this.bar = make("div", { cls: "pal-bar", role: "progressbar", "aria-label": "Labels until the next update" });
    this.barFill = make("div", { cls: "pal-bar-fill" });
    this.bar.append(this.barFill);
    this.counts = make("span", { cls: "pal-counts" });
    const progress = make("div", { cls: "pal-progress", "data-testid": "progress" }, this.bar, this.counts);
    this.modes = new Map([["single", "One by one"], ["grid", "Grid"]].map(([mode, text]) => [mode, this.mode(mode, text, act)]));
    const modes = make("div", { cls: "pal-modes", role: "group", "aria-label": "How to label" }, ...this.modes.values());
    this.person = make("button", { cls: "pal-person", type: "button", "data-testid": "person" });
    this.person.addEventListener("click", () => act.person());
    this.saveState = make("div", { cls: "pal-save", role: "status", "data-testid": "save-state" });
    const right = make("div", { cls: "pal-right" }, modes, this.person, this.saveState);
    this.root = make("header", { cls: "pal-top" }, progress, right);
    this.showMode("single");
  }

  mode(mode, text, act) {
    const button = make("button", { type: "button", text, "data-testid": `mode-${mode}` });
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("click", () => act.mode(mode));
    return button;
  }

  showMode(mode) {
    for (const [each, button] of this.modes) button.setAttribute("aria-pressed", String(each === mode));
  }

  showPerson(name, signedIn) {
    this.person.textContent = name;
    this.person.disabled = Boolean(signedIn);
    this.person.title = signedIn ? "Signed in under this name" : "Change who labels";
    this.person.setAttribute("aria-label", `Labeling as ${name}${signedIn ? "" : ". Change"}`);
  }

  showProgress({ labeled, total, round, done, size, pace }) {
    const share = size ? Math.min(1, done / size) : 0;
    this.barFill.style.transform = `scaleX(${share})`;
    this.bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    const parts = [`${labeled} this session`];
    if (total !== undefined) parts.push(`${total} in all`);
    if (size) parts.unshift(`Batch ${round + 1}: ${Math.min(done, size)} of ${size}`);
    if (pace) parts.push(`${pace} a minute`);
    this.counts.textContent = parts.join(" · ");
  }

  showSaving(kind, text) {
    if (this.saveState.textContent === text) return;
    this.saveState.className = `pal-save pal-${kind}`;
    this.saveState.textContent = text;
  }
}
