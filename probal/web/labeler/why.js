/* why.js: one line on why this image was picked, and the numbers behind it on demand. */

const PHASES = {
  coverage: "typical of a group of images that has no label yet",
  random: "drawn at random",
  information: "its label would tell most about the other images",
  gradient: "its label would change the model most, whichever it is",
  balance: "may belong to a class with few labels",
};
const UNCERTAINTIES = [
  ["total", "Uncertainty in all"],
  ["aleatoric", "in the image itself"],
  ["epistemic", "for lack of labels"],
];

class Why {
  constructor(names) {
    this.names = names;
    this.line = make("summary", { cls: "pal-why-line" });
    this.detail = make("div", { cls: "pal-why-detail" });
    this.details = make("details", { cls: "pal-why", "data-testid": "why" }, this.line, this.detail);
    this.plain = make("p", { cls: "pal-why-plain" });
    this.root = make("div", { cls: "pal-why-box" }, this.details, this.plain);
    this.details.addEventListener("toggle", () => this.fill());
    this.show(null);
  }

  show(item) {
    this.item = item;
    const why = item?.why;
    this.details.hidden = !why;
    this.plain.hidden = Boolean(why) || !item;
    this.plain.textContent = "Shown without a suggestion, so that the answer is all yours.";
    if (why) {
      this.line.textContent = `Why this image: ${this.sentence(why)}`;
      this.fill();
    }
  }

  sentence({ phase, contested }) {
    if (PHASES[phase]) return PHASES[phase];
    const [first, second] = contested ?? [];
    if (!first || !second) return `picked for its ${phase}`;
    return `undecided between ${this.share(first)} and ${this.share(second)}`;
  }

  share([id, p]) {
    return `${this.names.get(id) ?? "a removed class"} (${percent(p)})`;
  }

  /** Built only when open: the thumbnail of the nearest labeled image costs a request. */
  fill() {
    this.detail.replaceChildren();
    const why = this.item?.why;
    if (!why || !this.details.open) return;
    const most = Math.max(why.total, 1e-9);
    for (const [field, label] of UNCERTAINTIES) {
      const fill = make("span", { style: `width: ${(100 * Math.max(0, why[field])) / most}%` });
      const meter = make("span", { cls: "pal-meter", "aria-hidden": "true" }, fill);
      this.row(label, meter, make("span", { text: `${why[field].toFixed(2)} nats` }));
    }
    if (why.contested?.length) this.row("Contested", make("span", { text: why.contested.map((c) => this.share(c)).join(", ") }));
    if (why.cluster !== null && why.cluster !== undefined) this.row("Group of look-alikes", make("span", { text: `no. ${why.cluster + 1}` }));
    if (why.nearest) this.row("Nearest labeled", this.nearest(why.nearest));
    this.row("Picked by", make("span", { text: `${why.strategy}, ${why.phase}` }));
  }

  nearest({ thumb, class_id, similarity }) {
    const name = this.names.get(class_id) ?? "a removed class";
    const text = `${name}, similarity ${similarity.toFixed(2)}`;
    return make("span", { cls: "pal-nearest" }, make("img", { src: thumb, alt: "", loading: "lazy" }), make("span", { text }));
  }

  row(label, ...values) {
    this.detail.append(make("div", { cls: "pal-why-row" }, make("span", { cls: "pal-why-label", text: label }), ...values));
  }
}
