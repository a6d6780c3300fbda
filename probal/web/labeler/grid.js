/* grid.js: a page of images that the model takes for one class. The odd ones are marked, or given another class;
   one key confirms the rest. Every answer is an event of its own, under its own lease, in the one queue. */

const PAGE_SIZE = 100;
const RENEW_MS = 60000; // a silent window loses its images after two minutes

class Grid {
  constructor(classes, keymap, view) {
    this.names = view.names;
    this.main = view;
    this.stream = undefined;
    this.isOpen = false;
    this.tiles = []; // {item, state: "ok" | "odd" | "fixed" | "failed", classId, seen}
    this.pages = []; // events of confirmed pages, for undo
    this.classId = null;
    this.view = new GridView(classes, keymap, {
      show: (classId) => this.show(classId),
      toggle: (tile) => this.toggle(tile),
      give: (tile, classId) => this.give(tile, classId),
      giveMarked: (classId, at) => this.assign(classId, null, at),
      confirm: (at) => this.confirm(at),
      undo: () => this.undo(),
      changed: () => this.render(),
    });
    view.root.append(this.view.root);
  }

  open() {
    this.isOpen = true;
    this.view.root.hidden = false;
    if (this.stream) this.ask();
  }

  close() {
    this.isOpen = false;
    this.view.root.hidden = true;
    clearTimeout(this.timer);
    this.tiles = [];
    this.paintedAt = null;
    this.view.paint([]);
  }

  // Pages

  show(classId) {
    if (this.marked.length) return this.assign(classId, null, performance.now());
    this.classId = classId;
    return this.ask();
  }

  /** A page of the class chosen, or of the surest one; what is on screen stays until it is there. */
  async ask() {
    const ticket = (this.ticket = (this.ticket ?? 0) + 1);
    const { stream } = this;
    this.paintedAt = null;
    this.view.busy();
    let page;
    try {
      page = await this.lease(PAGE_SIZE, stream.queue.imageIds());
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (ticket !== this.ticket || !this.isOpen) return;
      this.view.say(error.message);
      if (error.retry) this.timer = setTimeout(() => ticket === this.ticket && this.ask(), 2000);
      return;
    }
    if (ticket !== this.ticket || !this.isOpen || stream !== this.stream) return;
    if (!page.items.length && page.classes.some(({ class_id, waiting }) => waiting && class_id !== this.classId) && this.classId !== null) {
      this.classId = null; // this class is done: on with the surest of the others
      this.ask();
      return;
    }
    this.classId = page.class_id;
    this.tiles = page.items.map((item) => ({ item, state: "ok", classId: item.predicted[0][0], seen: false }));
    this.view.showClasses(page.classes, this.classId);
    this.view.paint(this.tiles);
    this.render();
    if (!this.tiles.length) this.view.say(page.message);
    requestAnimationFrame(() => requestAnimationFrame(() => this.painted(ticket)));
    this.renew();
  }

  /** From here on a key counts for this page. */
  painted(ticket) {
    if (ticket !== this.ticket || !this.isOpen) return;
    this.paintedAt = performance.now();
    this.view.root.dataset.page = ticket;
  }

  lease(n, keep) {
    const { annotator, client } = this.stream;
    const wanted = this.classId === null ? {} : { class_id: this.classId };
    const ids = [...keep].filter(Number.isInteger);
    return this.stream.api.post("grid", { annotator, client, n, keep: ids, ...wanted });
  }

  /** Keeps what is on screen from being handed to others while somebody looks at it. */
  renew() {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      if (!this.isOpen || document.hidden) return this.isOpen && this.renew();
      const held = [...this.tiles.map(({ item }) => item.image_id), ...this.stream.queue.imageIds()];
      try {
        await this.lease(1, held);
      } catch (error) {
        if (!(error instanceof CallError)) throw error; // without a server there is nobody else to take them
      }
      return this.renew();
    }, RENEW_MS);
  }

  // Marks

  get marked() {
    return this.tiles.filter(({ state }) => state === "odd");
  }

  toggle(tile) {
    if (tile.state === "failed") return;
    const fixed = tile.state === "fixed";
    tile.classId = tile.item.predicted[0][0];
    tile.state = fixed || tile.state === "odd" ? "ok" : "odd";
    this.render();
  }

  give(tile, classId) {
    if (tile.state === "failed") return;
    tile.classId = classId;
    tile.state = classId === tile.item.predicted[0][0] ? "ok" : "fixed";
    this.render();
  }

  /** A class for the marked images, or else for the one that has the focus. */
  assign(classId, node, at) {
    const focused = node && this.view.tileOf(node);
    const those = this.marked.length ? this.marked : focused ? [focused] : [];
    if (!those.length || !this.isPainted(at)) return this.shake("Mark the odd ones first, or move to one with the arrow keys.");
    those.forEach((tile) => this.give(tile, classId));
    this.view.say(`${those.length} ${those.length === 1 ? "image is" : "images are"} ${this.names.get(classId)}`);
    return undefined;
  }

  // Answers

  isPainted(at) {
    return this.paintedAt !== null && at >= this.paintedAt;
  }

  confirm(at) {
    const due = this.tiles.filter(({ state }) => state === "ok" || state === "fixed");
    if (!due.length || !this.isPainted(at)) return this.shake("Nothing to confirm yet.");
    const unseen = due.filter(({ seen }) => !seen);
    if (unseen.length) {
      this.view.scrollTo(unseen[0]);
      return this.shake(`${unseen.length} more to look at first: they were not on screen yet.`);
    }
    const { queue, annotator } = this.stream;
    const seq = queue.lastSeq + 1;
    const duration = Math.round((at - this.paintedAt) / due.length);
    this.paintedAt = null;
    const events = due.map(({ item, state, classId }) => ({
      event_id: newId(), kind: state === "ok" ? "confirm" : "label", annotator, image_id: item.image_id,
      lease: item.lease, class_id: classId, seq, duration_ms: duration,
    }));
    this.pages.push(events);
    queue.pushAll(events);
    this.stream.labeled += events.length;
    const fixed = due.filter(({ state }) => state === "fixed").length;
    const left = this.tiles.length - due.length;
    const parts = [`${due.length - fixed} confirmed`, fixed && `${fixed} corrected`, left && `${left} left out`];
    this.view.say(`${parts.filter(Boolean).join(", ")}. Undo takes the page back.`);
    return this.ask();
  }

  /** Takes the last confirmed page back, the newest answer first. */
  undo() {
    const events = this.pages.pop();
    if (!events) return this.shake("No page to take back.");
    const { queue, annotator } = this.stream;
    const seq = queue.lastSeq + 1;
    queue.pushAll(events.toReversed().map(({ event_id, image_id }) => (
      { event_id: newId(), kind: "undo", annotator, image_id, target_event_id: event_id, seq }
    )));
    this.stream.labeled = Math.max(0, this.stream.labeled - events.length);
    this.view.say(`${events.length} answers taken back.`);
    this.classId = events.find(({ kind }) => kind === "confirm")?.class_id ?? this.classId;
    return queue.idle().then(() => this.isOpen && this.ask());
  }

  shake(text) {
    this.main.shake();
    this.view.say(text);
  }

  render() {
    this.view.render(this.tiles, { canUndo: this.pages.length > 0, className: this.names.get(this.classId) });
  }
}
