/* why.js: one line on why this image was picked, and the numbers behind it on demand. */

const PHASES = {
  coverage: "typical of a group of images that has no label yet",
  random: "drawn at random",
  information: "its label would tell most about the other images",
  gradient: "its label would change the model most, whichever it is",
  "chosen by hand": "someone put it into this batch",
  balance: "may belong to a class with few labels",
};
const UNCERTAINTIES = [
  ["total", "Uncertainty in all"],
  ["aleatoric", "in the image itself"],
  ["epistemic", "for lack of labels"],
];
const NEAREST = 4;
const CLEAR = 0.8; // a likeliest class above this is no contest

class Why {
  /** `ask` gets a path of the API and returns a promise of its answer. */
  constructor(names, ask) {
    Object.assign(this, { names, ask });
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
    if (first[1] > CLEAR) return `among the least sure of those left: ${this.share(first)}`;
    return `undecided between ${this.share(first)} and ${this.share(second)}`;
  }

  name(classId) {
    return this.names.get(classId) ?? "a removed class";
  }

  share([id, p]) {
    return `${this.name(id)} (${percent(p)})`;
  }

  /** Built only when open: the nearest labeled images cost a request. */
  fill() {
    this.detail.replaceChildren();
    const { item } = this;
    const why = item?.why;
    if (!why || !this.details.open) return;
    const most = Math.max(why.total, 1e-9);
    for (const [field, label] of UNCERTAINTIES) {
      const fill = make("span", { style: `width: ${(100 * Math.max(0, why[field])) / most}%` });
      const meter = make("span", { cls: "pal-meter", "aria-hidden": "true" }, fill);
      this.row(label, meter, make("span", { text: `${why[field].toFixed(2)} nats` }));
    }
    if (why.contested?.length) this.text("In contest", why.contested.map((c) => this.share(c)).join(", "));
    if (why.ambiguity_percentile != null) {
      this.text("Ambiguity of the picture", `higher than in ${Math.round(why.ambiguity_percentile)}% of the pool`);
    }
    if (why.cluster != null) this.text("Group of look-alikes", `no. ${why.cluster + 1}`);
    if (why.target) this.text("Chosen to help", why.target);
    this.text("Picked by", `${why.strategy} (${why.phase}), score ${why.score.toPrecision(3)}`);
    const nearest = make("span", { cls: "pal-nearest", text: "…" });
    this.row("Nearest labeled", nearest);
    this.fillNearest(item, nearest);
  }

  async fillNearest(item, place) {
    let found;
    try {
      found = await this.ask(`images/${item.image_id}/nearest?n=${NEAREST}`);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      place.textContent = error.message;
      return;
    }
    if (this.item !== item) return;
    const figures = found.map(({ thumb, class_id, similarity }) => {
      const text = `${this.name(class_id)} ${similarity.toFixed(2)}`;
      const image = make("img", { src: thumb, alt: `Labeled ${this.name(class_id)}`, title: `Cosine ${similarity.toFixed(3)}` });
      return make("span", { cls: "pal-near" }, image, make("small", { text }));
    });
    if (figures.length) place.replaceChildren(...figures);
    else place.textContent = "nothing is labeled yet";
  }

  text(label, text) {
    this.row(label, make("span", { text }));
  }

  row(label, ...values) {
    this.detail.append(make("div", { cls: "pal-why-row" }, make("span", { cls: "pal-why-label", text: label }), ...values));
  }
}
