/* gridview.js: what the grid looks like: the classes above, what confirming would mean, and the pictures. */

const CARD = 320;
const UNSURE = 0.2; // share of a page expected to be wrong from which the words warn

/** The probability that all of these are right, and how many are expected not to be. */
function odds(tiles) {
  const p = tiles.map(({ item }) => item.predicted[0][1]);
  return { all: p.reduce((product, each) => product * each, 1), wrong: p.reduce((sum, each) => sum + 1 - each, 0) };
}

class GridView {
  constructor(classes, keymap, act) {
    Object.assign(this, { keymap, act, nodes: new Map() });
    this.names = new Map(classes.map(({ id, name }) => [id, name]));
    this.chips = new Map(classes.map(({ id, name }) => [id, this.chip(id, name)]));
    const bar = make("div", { cls: "pal-grid-classes", role: "group", "aria-label": "Predicted classes" }, ...[...this.chips.values()].map(({ button }) => button));
    this.title = make("h3", { cls: "pal-grid-title" });
    this.odds = make("p", { cls: "pal-grid-odds", "data-testid": "grid-odds" });
    this.said = make("p", { cls: "pal-grid-said", role: "status", "data-testid": "grid-said" });
    this.confirmText = make("span", {});
    this.confirm = make("button", { cls: "pal-primary", type: "button", "data-testid": "grid-confirm" }, this.confirmText, make("kbd", { text: "↵", "aria-hidden": "true" }));
    this.confirm.addEventListener("click", (event) => act.confirm(event.timeStamp));
    this.undoKey = make("kbd", { "aria-hidden": "true" });
    this.undo = make("button", { cls: "pal-action", type: "button", "data-testid": "grid-undo" }, make("span", { text: "Undo page" }), this.undoKey);
    this.undo.addEventListener("click", () => act.undo());
    for (const button of [this.confirm, this.undo]) button.addEventListener("mousedown", (event) => event.preventDefault());
    const words = make("div", { cls: "pal-grid-words" }, this.title, this.odds);
    const head = make("div", { cls: "pal-grid-head" }, words, this.undo, this.confirm);
    this.area = make("div", { cls: "pal-tiles", role: "group", "aria-label": "Images of the page" });
    this.root = make("div", { cls: "pal-grid", "data-testid": "grid" }, bar, head, this.said, this.area);
    this.root.hidden = true;
    this.watch = new IntersectionObserver((found) => this.sighted(found), { threshold: 0.6 });
    this.showKeys();
  }

  /** A class: shows its images, takes those that are marked, and those dropped on it. */
  chip(id, name) {
    const count = make("span", { cls: "pal-share" });
    const kbd = make("kbd", { "aria-hidden": "true" });
    const button = make("button", { cls: "pal-chip", type: "button", "data-testid": `grid-class-${id}` }, kbd, make("span", { text: name }), count);
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("click", () => this.act.show(id));
    button.addEventListener("dragover", (event) => this.dragged && event.preventDefault());
    button.addEventListener("dragenter", () => this.dragged && button.classList.add("pal-hit"));
    button.addEventListener("dragleave", () => button.classList.remove("pal-hit"));
    button.addEventListener("drop", (event) => {
      event.preventDefault();
      button.classList.remove("pal-hit");
      if (this.dragged) this.act.give(this.dragged, id);
      this.dragged = null;
    });
    return { button, kbd, count };
  }

  showKeys() {
    for (const [id, { button, kbd }] of this.chips) showKey(button, kbd, this.keymap.of(id));
    showKey(this.undo, this.undoKey, this.keymap.of("undo"));
  }

  showClasses(classes, shown) {
    const waiting = new Map(classes.map(({ class_id, waiting }) => [class_id, waiting]));
    for (const [id, { button, count }] of this.chips) {
      count.textContent = String(waiting.get(id) ?? 0);
      button.setAttribute("aria-pressed", String(id === shown));
      button.setAttribute("aria-label", `${this.names.get(id)}, ${waiting.get(id) ?? 0} waiting`);
    }
  }

  busy() {
    this.area.classList.add("pal-off");
    this.area.setAttribute("aria-busy", "true");
  }

  // Tiles

  paint(tiles) {
    this.watch.disconnect();
    this.root.dataset.seen = 0;
    delete this.root.dataset.page;
    this.nodes = new Map(tiles.map((tile, place) => [this.tile(tile, place), tile]));
    this.area.replaceChildren(...this.nodes.keys());
    this.area.classList.remove("pal-off");
    this.area.setAttribute("aria-busy", "false");
    for (const node of this.nodes.keys()) this.watch.observe(node);
    this.area.scrollTop = 0;
  }

  tile(tile, place) {
    const { media } = tile.item;
    const image = make("img", { src: sized(media, CARD), alt: "", draggable: "false" });
    const badge = make("span", { cls: "pal-badge" });
    const node = make("button", { cls: "pal-tile", type: "button", draggable: "true", tabindex: place ? "-1" : "0", "data-image-id": tile.item.image_id }, image, badge);
    tile.place = place;
    image.addEventListener("load", () => {
      tile.loaded = true;
      image.classList.toggle("pal-pixels", Math.max(image.naturalWidth, image.naturalHeight) <= SMALL_SIDE);
      this.sight(tile);
    });
    image.addEventListener("error", () => {
      tile.state = "failed";
      this.act.changed();
    });
    node.addEventListener("mousedown", () => node.focus({ preventScroll: true }));
    node.addEventListener("click", () => this.act.toggle(tile));
    node.addEventListener("dragstart", (event) => {
      this.dragged = tile;
      event.dataTransfer.setData("text/plain", String(tile.item.image_id));
    });
    node.addEventListener("dragend", () => (this.dragged = null));
    return node;
  }

  tileOf(node) {
    return this.nodes.get(node);
  }

  /** Seen is what was on screen with its picture there; only that can be confirmed. */
  sighted(found) {
    for (const { target, isIntersecting } of found) {
      const tile = this.nodes.get(target);
      if (!tile) continue;
      tile.visible = isIntersecting;
      this.sight(tile);
    }
  }

  sight(tile) {
    if (!tile.visible || !tile.loaded || tile.seen) return;
    tile.seen = true;
    this.root.dataset.seen = Number(this.root.dataset.seen) + 1;
  }

  scrollTo(tile) {
    for (const [node, each] of this.nodes) if (each === tile) node.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  /** Moves the focus with an arrow key: along the row, or to the row above or below. */
  step(node, key) {
    const all = [...this.nodes.keys()];
    const columns = all.filter((each) => each.offsetTop === all[0].offsetTop).length;
    const by = { arrowleft: -1, arrowright: 1, arrowup: -columns, arrowdown: columns }[key];
    const next = all[all.indexOf(node) + by];
    if (!next) return;
    all.forEach((each) => (each.tabIndex = each === next ? 0 : -1));
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  // Words

  render(tiles, { canUndo, className }) {
    for (const [node, tile] of this.nodes) this.mark(node, tile, tiles.length);
    const ok = tiles.filter(({ state }) => state === "ok");
    const fixed = tiles.filter(({ state }) => state === "fixed").length;
    const odd = tiles.filter(({ state }) => state === "odd").length;
    this.title.textContent = tiles.length ? `${tiles.length} that look like “${className}”, the surest first` : "";
    const { all, wrong } = odds(ok);
    this.odds.textContent = ok.length
      ? `By the model's own probabilities ${wrong.toFixed(1)} of these ${ok.length} are wrong, and all are right with ${percent(all)}.`
      : "";
    this.odds.classList.toggle("pal-unsure", wrong > UNSURE * ok.length);
    if (wrong > UNSURE * ok.length) this.odds.textContent += " Too unsure for a page at once: label more one by one first.";
    this.confirmText.textContent = `Confirm ${ok.length + fixed}`;
    this.confirm.disabled = ok.length + fixed === 0;
    this.undo.disabled = !canUndo;
    this.root.classList.toggle("pal-marking", odd > 0);
    if (odd) this.say(`${odd} marked: press or pick a class for ${odd === 1 ? "it" : "them"}, or confirm without.`);
    else if (tiles.length) this.say("Click the odd ones, then their class. Enter confirms the rest.");
  }

  mark(node, tile, n) {
    const [predicted, p] = tile.item.predicted[0];
    node.dataset.state = tile.state;
    const words = {
      ok: percent(p),
      odd: "not this",
      fixed: this.names.get(tile.classId),
      failed: "cannot be shown",
    }[tile.state];
    node.lastChild.textContent = words;
    node.setAttribute("aria-pressed", String(tile.state === "odd"));
    node.setAttribute("aria-label", `Image ${tile.place + 1} of ${n}, ${this.names.get(predicted)}, ${words}`);
  }

  say(text) {
    this.said.textContent = text;
  }
}
