/* dialogs.js: the two sheets over the page: flag with a reason, and the list of keys. */

const FLAG_REASONS = [
  ["ambiguous", "Ambiguous", "More than one class fits"],
  ["unusable", "Unusable", "Broken, blurred or no subject"],
  ["none_of_these", "None of these", "Belongs to no class here"],
];
const NOTE_MAX = 500;

const KEYS = [
  ["1 … 9, letters", "Label with the class that shows the key"],
  ["Enter", "Accept the likeliest class, where one is suggested"],
  ["Z or Ctrl+Z", "Undo the last answer"],
  ["Y", "Redo"],
  ["S", "Later: the image comes back at the end"],
  ["F", "Flag: take the image out, with a reason"],
  ["← →", "Look back at answered images, and forth again"],
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

function helpSheet() {
  const rows = KEYS.map(([key, does]) => [make("dt", { text: key }), make("dd", { text: does })]);
  const text = "A key counts only for the image on screen when it is struck. Labels are saved as you go; "
    + "without a connection they wait on this computer.";
  return sheet("help-sheet", "Keys", make("dl", { cls: "pal-keys" }, ...rows.flat()), make("p", { text }));
}
