/* dialogs.js: the two sheets over the page: flag with a reason, and the list of keys. */

const FLAG_REASONS = [
  ["ambiguous", "Ambiguous", "More than one class fits"],
  ["unusable", "Unusable", "Broken, blurred or no subject"],
  ["none_of_these", "None of these", "Belongs to no class here"],
];
const NOTE_MAX = 500;

const FIXED_KEYS = [
  ["Enter or →", "Accept the likeliest class, where one is suggested"],
  ["←", "Look back at answered images; → comes forth again"],
  ["/", "Find a class by name, where there are many"],
  ["+ − Space", "Closer, farther, original size and back; drag moves the image"],
  ["?", "This list"],
];

/** A modal sheet; Escape and a click beside it close it, as the browser's own dialogs do. */
function sheet(testid, title, ...children) {
  const dialog = make("dialog", { cls: "pal-sheet", "data-testid": testid, "aria-label": title });
  const close = make("button", { cls: "pal-close", type: "button", text: "×", "aria-label": "Close" });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  const head = make("div", { cls: "pal-sheet-head" }, make("h3", { text: title }), close);
  dialog.append(make("div", { cls: "pal-sheet-body" }, head, ...children));
  return dialog;
}

class FlagSheet {
  constructor(onChoose) {
    this.note = make("input", { type: "text", maxlength: NOTE_MAX, placeholder: "Note (optional)", "aria-label": "Note" });
    const buttons = FLAG_REASONS.map(([reason, label, hint], index) => {
      const button = make(
        "button",
        { cls: "pal-reason", type: "button", "data-testid": `flag-${reason}` },
        make("kbd", { text: String(index + 1), "aria-hidden": "true" }),
        make("span", { text: label }),
        make("small", { text: hint }),
      );
      button.addEventListener("click", () => this.choose(reason));
      return button;
    });
    this.buttons = buttons;
    this.onChoose = onChoose;
    this.dialog = sheet("flag-menu", "Why flag this image?", ...buttons, this.note);
    this.dialog.addEventListener("keydown", (event) => {
      const reason = FLAG_REASONS[Number(event.key) - 1]?.[0];
      if (reason && event.target !== this.note && !event.repeat) this.choose(reason);
    });
  }

  open() {
    this.note.value = "";
    this.dialog.showModal();
    this.buttons[0].focus();
  }

  choose(reason) {
    const note = this.note.value.trim() || null;
    this.dialog.close();
    this.onChoose(reason, note);
  }
}

/** The list of keys; each of the bindable ones is a button that waits for the new key. */
class HelpSheet {
  constructor(classes, keymap, onBound) {
    Object.assign(this, { classes, keymap, onBound, waiting: null });
    this.list = make("dl", { cls: "pal-keys" });
    const reset = make("button", { cls: "pal-plain", type: "button", text: "Back to the project's own keys" });
    reset.addEventListener("click", () => this.changed(keymap.reset()));
    this.said = make("p", { role: "status" });
    const text = "A key counts only for the image on screen when it is struck. Labels are saved as you go; "
      + "without a connection they wait on this computer. Press a key below, then the one that shall replace it: "
      + "any digit or letter but C and R.";
    this.dialog = sheet("help-sheet", "Keys", make("p", { text }), this.said, this.list, reset);
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("close", () => (this.waiting = null));
    this.fill();
  }

  get open() {
    return this.dialog.open;
  }

  show() {
    this.said.textContent = "";
    this.dialog.showModal();
  }

  fill() {
    const actions = Object.entries(ACTION_WORDS);
    const rows = [...actions, ...this.classes.map(({ id, name }) => [id, name])].map(([id, words]) => [
      make("dt", {}, this.binder(id, words)),
      make("dd", { text: words }),
    ]);
    const fixed = FIXED_KEYS.map(([key, does]) => [make("dt", { text: key }), make("dd", { text: does })]);
    this.list.replaceChildren(...fixed.flat(), ...rows.flat());
  }

  binder(id, words) {
    const key = this.keymap.of(id);
    const button = make("button", {
      cls: "pal-bind", type: "button", text: key ? key.toUpperCase() : "none", "data-testid": `bind-${id}`,
      "aria-label": `${words}: ${key ? `key ${key.toUpperCase()}` : "no key"}. Change`,
    });
    button.addEventListener("click", () => {
      this.waiting = id;
      this.list.querySelector(".pal-waiting")?.classList.remove("pal-waiting");
      button.classList.add("pal-waiting");
      this.said.textContent = `Press the key for “${words}”, or Escape.`;
    });
    return button;
  }

  /** While a binding waits, the next key is its answer; Escape leaves everything as it was. */
  key(event) {
    if (this.waiting === null || event.key === "Tab") return;
    event.preventDefault();
    event.stopPropagation();
    const id = this.waiting;
    if (event.key === "Escape") this.changed();
    else if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    else if (this.keymap.bind(id, event.key.toLowerCase())) this.changed();
    else this.said.textContent = "That key cannot be given: a digit or a letter but C and R can.";
  }

  changed() {
    this.waiting = null;
    this.said.textContent = "";
    this.fill();
    this.onBound();
  }
}
