/* strip.js: the answered images in a row, the newest last; a click goes back to one. */

const THUMB = 96;

/** The same signed address at another size: the signature is the image's, not the size's. */
function sized(media, size) {
  return media.replace(/\/\d+\?/, `/${size}?`);
}

class Strip {
  /** `go` takes an entry, or null for the front; `describe` puts an answer into words. */
  constructor({ go, describe }) {
    this.go = go;
    this.describe = describe;
    this.nodes = new Map(); // entry -> button
    this.list = make("div", { cls: "pal-strip", role: "toolbar", "aria-label": "Answered images", "data-testid": "strip" });
    this.now = make("button", { cls: "pal-now", type: "button", text: "Now", title: "Back to the image to label" });
    this.now.addEventListener("mousedown", (event) => event.preventDefault());
    this.now.addEventListener("click", () => this.go(null));
    this.list.append(this.now);
    this.list.hidden = true;
  }

  show(past, viewed) {
    this.list.hidden = past.length === 0;
    const there = new Set(past);
    for (const [entry, node] of this.nodes) {
      if (there.has(entry)) continue;
      node.remove();
      this.nodes.delete(entry);
    }
    const grown = past.some((entry) => !this.nodes.has(entry));
    for (const entry of past) this.update(entry, entry === viewed);
    this.now.setAttribute("aria-pressed", String(viewed === null));
    if (grown && viewed === null) this.list.scrollLeft = this.list.scrollWidth;
  }

  update(entry, viewed) {
    const node = this.nodes.get(entry) ?? this.add(entry);
    const last = entry.answers.at(-1);
    const said = last ? this.describe(last) : "";
    if (node.said !== said) {
      node.said = said;
      node.lastChild.textContent = last?.kind === "skip" ? "later" : last?.kind === "flag" ? "flag" : said.replace(/^.*“|”$/g, "");
      node.setAttribute("aria-label", `Back to an image. ${said}`);
      node.title = said;
    }
    node.setAttribute("aria-pressed", String(viewed));
    if (viewed) node.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  add(entry) {
    const image = make("img", { src: sized(entry.item.media, THUMB), alt: "", loading: "lazy", draggable: "false" });
    const node = make("button", { cls: "pal-past", type: "button" }, image, make("span", {}));
    node.addEventListener("mousedown", (event) => event.preventDefault());
    node.addEventListener("click", () => this.go(entry));
    this.nodes.set(entry, node);
    this.list.insertBefore(node, this.now);
    return node;
  }
}
