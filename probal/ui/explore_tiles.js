/* explore_tiles.js: thumbnails that can be chosen, by click, by shift and click, or by arrows and the space bar.
   What is chosen goes to the page after a pause, so that many clicks cost one run of it. */

const PAUSE_MS = 250;
const lists = new WeakMap(); // parent element -> Tiles

export default function tiles({ parentElement, data, setStateValue }) {
  let one = lists.get(parentElement);
  if (!one) {
    one = new Tiles(parentElement);
    lists.set(parentElement, one);
  }
  one.send = (ids) => setStateValue("chosen", { epoch: data.epoch, ids });
  one.show(data);
}

class Tiles {
  constructor(parent) {
    this.chosen = new Set();
    this.at = 0; // the tile that Tab lands on
    this.shown = "";
    this.list = document.createElement("div");
    this.list.className = "pex-tiles";
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-multiselectable", "true");
    this.list.addEventListener("click", (event) => this.click(event));
    this.list.addEventListener("keydown", (event) => this.key(event));
    parent.append(this.list);
  }

  show(data) {
    const now = JSON.stringify([data.tiles, data.epoch]);
    this.list.setAttribute("aria-label", data.label);
    if (now === this.shown) return; // a rerun that changed nothing keeps focus and place
    const fresh = data.epoch !== this.epoch; // after an action the page asks for a clean slate
    this.shown = now;
    this.epoch = data.epoch;
    const ids = data.tiles.map((tile) => tile.id);
    this.chosen = new Set(fresh ? [] : ids.filter((id) => this.chosen.has(id)));
    const focused = this.list.contains(document.activeElement);
    this.list.replaceChildren(...data.tiles.map((tile) => this.tile(tile)));
    this.at = Math.min(this.at, Math.max(0, ids.length - 1));
    this.paint();
    if (focused) this.list.children[this.at]?.focus();
  }

  tile({ id, url, name, caption, small }) {
    const tile = document.createElement("div");
    tile.className = small ? "pex-tile pex-small" : "pex-tile";
    tile.setAttribute("role", "option");
    tile.setAttribute("aria-label", `${name}, ${caption || "no label"}`);
    tile.title = name;
    tile.dataset.id = id;
    const image = document.createElement("img");
    image.src = url;
    image.alt = "";
    image.loading = "lazy";
    const words = document.createElement("span");
    words.textContent = caption;
    tile.append(image, words);
    return tile;
  }

  click(event) {
    const tile = event.target.closest(".pex-tile");
    if (!tile) return;
    const position = [...this.list.children].indexOf(tile);
    this.turn(position, event.shiftKey);
    tile.focus();
  }

  key(event) {
    const last = this.list.children.length - 1;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.across(), ArrowUp: -this.across() }[event.key];
    if (step || event.key === "Home" || event.key === "End") {
      const to = event.key === "Home" ? 0 : event.key === "End" ? last : this.at + step;
      if (to >= 0 && to <= last) this.at = to;
      this.paint();
      this.list.children[this.at]?.focus();
    } else if (event.key === " " || event.key === "Enter") {
      this.turn(this.at, event.shiftKey);
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      this.choose([...this.list.children], true);
    } else if (event.key === "Escape") {
      this.choose([...this.list.children], false);
    } else {
      return;
    }
    event.preventDefault();
  }

  /* Tiles in a row, from where they were laid out. */
  across() {
    const top = this.list.children[0]?.offsetTop;
    const tiles = [...this.list.children];
    return Math.max(1, tiles.filter((tile) => tile.offsetTop === top).length);
  }

  turn(position, range) {
    const tiles = [...this.list.children];
    const chosen = !this.chosen.has(Number(tiles[position].dataset.id));
    const [from, to] = range ? [this.at, position].sort((a, b) => a - b) : [position, position];
    this.at = position;
    this.choose(tiles.slice(from, to + 1), chosen);
  }

  choose(tiles, chosen) {
    for (const tile of tiles) this.chosen[chosen ? "add" : "delete"](Number(tile.dataset.id));
    this.paint();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send([...this.chosen]), PAUSE_MS);
  }

  paint() {
    [...this.list.children].forEach((tile, position) => {
      tile.setAttribute("aria-selected", String(this.chosen.has(Number(tile.dataset.id))));
      tile.tabIndex = position === this.at ? 0 : -1;
    });
  }
}
