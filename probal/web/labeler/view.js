/* view.js: the page of the labeler. Builds it once and fills it in; all text goes in as text, never as HTML. */

const SMALL_SIDE = 64; // images up to this side are enlarged with hard pixels: digits, icons, patches
const TOAST_MS = 7000;

function make(tag, { cls, text, on = {}, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const [name, handler] of Object.entries(on)) node.addEventListener(name, handler);
  node.append(...children);
  return node;
}

function percent(p) {
  if (p > 0 && p < 0.01) return "<1%";
  if (p < 1 && p > 0.99) return ">99%";
  return `${Math.round(p * 100)}%`;
}

class View {
  /** `act` holds one function per button; see label.js. */
  constructor(classes, keymap, recentKey, act) {
    this.act = act;
    this.keymap = keymap;
    this.names = new Map(classes.map((info) => [info.id, info.name]));
    this.header = new Header(act);

    this.frame = make("div", { cls: "pal-frame" });
    this.notice = make("div", { cls: "pal-notice", "data-testid": "labeler-message" });
    this.ribbon = make("div", { cls: "pal-ribbon", hidden: "" });
    this.stage = make("figure", { cls: "pal-stage" }, this.frame, this.notice, this.ribbon);
    this.zoom = new Zoom(this.stage, this.frame);
    this.strip = new Strip({ go: (entry) => act.goTo(entry), describe: (event) => this.describe(event) });

    this.buttons = new Map();
    this.classes = make("div", { cls: "pal-classes", id: "pal-classes", role: "group", "aria-label": "Classes" });
    classes.forEach((info, position) => this.classes.append(this.classButton(info, position)));
    this.classes.classList.toggle("pal-many", classes.length > 10);
    this.finder = new Finder({ buttons: this.buttons, choose: act.label, leave: act.leaveFinder, storageKey: recentKey });
    this.why = new Why(this.names, (path) => act.ask(path));
    this.actions = this.actionRow();
    const side = make("div", { cls: "pal-side" }, this.finder.root, this.classes, this.actions, this.why.root);
    this.single = make("div", { cls: "pal-body" }, make("div", { cls: "pal-left" }, this.stage, this.strip.list), side);

    this.toasts = make("div", { cls: "pal-toasts", role: "alert" });
    this.spoken = make("div", { cls: "pal-spoken", "aria-live": "polite" });
    this.root = make(
      "section",
      { cls: "pal", "data-testid": "labeler", "aria-label": "Label the image", tabindex: "-1" },
      this.header.root,
      this.single,
      this.toasts,
      this.spoken,
    );
    this.showKeys();
  }

  classButton({ id, name, color }, position) {
    const fill = make("span", { cls: "pal-fill" });
    const share = make("span", { cls: "pal-share" });
    const kbd = make("kbd", { "aria-hidden": "true" });
    const button = make(
      "button",
      { cls: "pal-class", type: "button", id: `pal-class-${id}`, "data-testid": `class-${position}`, "data-class-id": id },
      fill,
      kbd,
      make("span", { cls: "pal-name", text: name, title: name }),
      share,
    );
    if (color) button.style.borderLeft = `5px solid ${color}`;
    this.keepFocus(button);
    button.addEventListener("click", (event) => this.act.label(id, event.timeStamp));
    this.buttons.set(id, { button, kbd, fill, share, name });
    return button;
  }

  actionRow() {
    const row = make("div", { cls: "pal-actions", role: "toolbar", "aria-label": "Actions" });
    const add = (id, label, key, title, run) => {
      const text = make("span", { text: label });
      const button = make("button", { cls: "pal-action", type: "button", title }, text);
      button.append(make("kbd", { text: key, "aria-hidden": "true" }));
      button.dataset.testid = id;
      this.keepFocus(button);
      button.addEventListener("click", (event) => run(event.timeStamp));
      row.append(button);
      return button;
    };
    this.back = add("back", "Back", "←", "Look at the image before", () => this.act.browse(-1));
    this.undo = add("undo", "Undo", "Z", "Take the last answer back", () => this.act.undo());
    this.redo = add("redo", "Redo", "Y", "Give it again", () => this.act.redo());
    this.skip = add("skip", "Later", "S", "Skip: comes back at the end", (at) => this.act.skip(at));
    this.flag = add("flag", "Flag", "F", "Take it out, with a reason", (at) => this.act.flag(at));
    this.help = add("help", "Keys", "?", "All keys", () => this.act.help());
    return row;
  }

  /** For those who do not see it: what was answered last, and what is on screen now. */
  tell(entry) {
    const top = entry.item.predicted?.[0];
    const was = entry.item.was ? ` It was labeled ${entry.item.was}.` : "";
    const next = top ? `Next image: ${this.names.get(top[0]) ?? "unknown"}, ${percent(top[1])} sure.${was}` : "Next image, without a suggestion.";
    const last = entry.answers.at(-1);
    this.say(last ? `Looking back. ${this.describe(last)}.` : [this.lastSaid, next].filter(Boolean).join(". "));
    this.lastSaid = undefined;
  }

  /** A click must not move the focus, or the next Enter would press the same button again. */
  keepFocus(button) {
    button.addEventListener("mousedown", (event) => event.preventDefault());
  }

  // What is on screen

  paintImage(entry, seq) {
    const { element } = entry.picture;
    element.className = "pal-image";
    element.alt = "The image to label";
    element.dataset.testid = "labeler-image";
    element.draggable = false;
    const small = Math.max(element.naturalWidth, element.naturalHeight) <= SMALL_SIDE;
    element.classList.toggle("pal-pixels", small);
    this.frame.replaceChildren(element);
    this.zoom.show(element);
    this.notice.hidden = true;
    this.root.dataset.imageId = entry.item.image_id;
    this.root.dataset.seq = seq;
    this.paintShares(entry.item.predicted);
    this.paintChosen(entry);
    this.why.show(entry.item);
    this.classes.classList.remove("pal-off");
  }

  paintNothing({ title, text, busy }) {
    this.frame.replaceChildren();
    this.zoom.show(null);
    delete this.root.dataset.imageId;
    delete this.root.dataset.seq;
    const parts = [make("strong", { text: title })];
    if (text) parts.push(make("p", { text }));
    if (busy) parts.unshift(make("span", { cls: "pal-spinner", "aria-hidden": "true" }));
    this.notice.replaceChildren(...parts);
    this.notice.hidden = false;
    this.ribbon.hidden = true;
    this.paintShares(null);
    this.why.show(null);
    this.classes.classList.add("pal-off");
  }

  /** Bars and numbers of the prediction; without one the buttons look the same, only empty. */
  paintShares(predicted) {
    const shares = new Map(predicted ?? []);
    this.finder.expect(shares);
    const top = predicted?.[0]?.[0];
    for (const [id, { button, fill, share, name }] of this.buttons) {
      const p = shares.get(id);
      share.textContent = p === undefined ? "" : percent(p);
      fill.style.transform = `scaleX(${p ?? 0})`;
      button.classList.toggle("pal-best", id === top);
      button.setAttribute("aria-label", p === undefined ? name : `${name}, predicted ${percent(p)}`);
    }
  }

  /** Looking back at an answered image: what it was given, and how to go on; else what it was before a split. */
  paintChosen(entry) {
    const last = entry.answers.at(-1);
    for (const [id, { button }] of this.buttons) {
      button.setAttribute("aria-pressed", String(last !== undefined && last.class_id === id));
    }
    const { was } = entry.item;
    this.ribbon.hidden = last === undefined && !was;
    if (last !== undefined) this.ribbon.textContent = `${this.describe(last)} · press a key to change it, → to go on`;
    else if (was) this.ribbon.textContent = `Was “${was}” before the classes changed`;
  }

  describe(event) {
    if (event.kind === "skip") return "Put off until later";
    if (event.kind === "flag") return "Flagged";
    return `Labeled “${this.names.get(event.class_id) ?? "a removed class"}”`;
  }

  showActions({ canUndo, canRedo, canBack, painted }) {
    this.undo.disabled = !canUndo;
    this.redo.disabled = !canRedo;
    this.back.disabled = !canBack;
    this.skip.disabled = this.flag.disabled = !painted;
  }

  showMode(mode) {
    this.header.showMode(mode);
    this.single.hidden = mode !== "single";
  }

  /** Every button shows the key it has now. */
  showKeys() {
    for (const [id, { button, kbd }] of this.buttons) showKey(button, kbd, this.keymap.of(id));
    for (const [action, button] of Object.entries({ undo: this.undo, redo: this.redo, skip: this.skip, flag: this.flag })) {
      showKey(button, button.lastChild, this.keymap.of(action));
    }
  }

  /** A key that could not count: the frame says so without words. */
  shake() {
    this.root.dataset.ignored = Number(this.root.dataset.ignored ?? 0) + 1;
    this.stage.classList.remove("pal-shake");
    void this.stage.offsetWidth; // restart the animation
    this.stage.classList.add("pal-shake");
  }

  press(classId) {
    const button = this.buttons.get(classId)?.button;
    if (!button) return;
    button.classList.remove("pal-pressed");
    void button.offsetWidth;
    button.classList.add("pal-pressed");
  }

  toast(text) {
    const toast = make("div", { cls: "pal-toast", text, "data-testid": "toast" });
    this.toasts.append(toast);
    setTimeout(() => toast.remove(), TOAST_MS);
  }

  say(text) {
    this.spoken.textContent = text;
  }
}

function showKey(button, kbd, key) {
  kbd.textContent = key ? key.toUpperCase() : "";
  if (key) button.setAttribute("aria-keyshortcuts", key);
  else button.removeAttribute("aria-keyshortcuts");
}
