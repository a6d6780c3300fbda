/* label.js: ties keys and buttons to the stream and the view. The rule it holds: an answer counts only for
   the image that was on screen when the key was struck. */

const PACE_OVER = 20; // answers that the pace is taken over,
const PACE_FROM = 5; // shown from this many,
const PACE_CAP_MS = 60000; // a pause counts at most this long
const BROWSED_MS = 600; // after coming forth to the front, an arrow accepts nothing for so long
const EDITABLE = "input, textarea, select, [contenteditable=''], [contenteditable=true]";
const OWN_KEYS = "button, a, summary, [role=button], [role=tab], [role=menuitem], [role=option]";
const ELSEWHERE = "[role=dialog], [role=listbox], [role=menu]";

class Labeler {
  constructor(parent, data) {
    this.parent = parent;
    this.generation = 0;
    this.painted = null; // {entry, seq, at}: what is on screen, and since when
    this.durations = [];
    this.build(data);
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey, { capture: true });
    this.view.root.focus({ preventScroll: true });
  }

  build(data) {
    this.data = data;
    const scope = `probal:${data.workspace}:${data.project}`;
    this.keymap = new Keymap(data.classes, `${scope}:keys`);
    this.view = new View(data.classes, this.keymap, `${scope}:recent`, {
      label: (id, at) => this.label(id, at),
      skip: (at) => this.skip(at),
      flag: (at) => this.openFlag(at),
      undo: () => this.undo(),
      redo: () => this.redo(),
      browse: (step) => this.browse(step),
      goTo: (entry) => this.goTo(entry),
      help: () => this.help.show(),
      ask: (path) => this.stream.api.get(path),
      mode: (mode) => this.setMode(mode),
      person: () => this.personSheet.open(this.person),
      leaveFinder: () => this.view.root.focus({ preventScroll: true }),
    });
    this.flagSheet = new FlagSheet((reason, note) => this.flag(reason, note));
    this.help = new HelpSheet(data.classes, this.keymap, () => this.keysChanged());
    this.personSheet = new PersonSheet((name) => this.setPerson(name));
    this.grid = new Grid(data.classes, this.keymap, this.view);
    this.view.root.append(this.flagSheet.dialog, this.help.dialog, this.personSheet.dialog);
    this.view.paintNothing({ title: "Asking for images…", busy: true });
    this.parent.append(this.view.root);
    this.connect(personOf(data));
  }

  async connect(person) {
    this.person = person;
    tellPages(this.data, person);
    this.view.header.showPerson(person, this.data.signed_in);
    const stream = await openStream(this.data, person);
    if (this.gone || this.person !== person) return;
    this.stream = stream;
    this.grid.stream = stream;
    stream.onChange = stream.queue.onChange = () => this.render();
    stream.onRefused = (event, reason) => {
      const comes = ANSWERING.has(event.kind) ? " The image comes back if it is still yours to answer." : "";
      this.view.toast(`Not saved: ${reason}${comes}`);
    };
    if (this.grid.isOpen) this.grid.ask();
    else stream.resume();
    this.render();
  }

  /** Another person sits down: their own images, undo and queue; what waits goes on being sent. */
  setPerson(name) {
    rememberPerson(this.data, name);
    this.tellPerson?.("person", name); // for the other pages of this session; the labeler itself does not run again
    if (name === this.person) return;
    this.letGo();
    this.stream = this.grid.stream = undefined;
    this.durations = [];
    this.painted = null;
    this.view.paintNothing({ title: "Asking for images…", busy: true });
    this.connect(name);
  }

  setMode(mode) {
    if ((mode === "grid") === this.grid.isOpen) return;
    this.view.showMode(mode);
    this.painted = null;
    if (mode === "grid") {
      this.stream?.pause();
      this.view.paintNothing({ title: "" });
      this.grid.open();
    } else {
      this.grid.close();
      this.stream?.resume();
      this.render();
    }
    this.view.root.focus({ preventScroll: true });
  }

  keysChanged() {
    this.view.showKeys();
    this.grid.view.showKeys();
  }

  /** The page ran again: only a new token matters, everything else on screen stays as it is. */
  update(data) {
    this.data = data;
    if (this.stream) renewToken(this.stream, data);
  }

  unmount() {
    this.gone = true;
    document.removeEventListener("keydown", this.onKey, { capture: true });
    cancelAnimationFrame(this.frame);
    this.letGo();
    this.view.root.remove();
  }

  letGo() {
    this.stream?.pause();
    if (this.stream) this.stream.onChange = this.stream.queue.onChange = () => {}; // the queue goes on sending
  }

  // Painting

  render() {
    if (this.gone || !this.stream) return;
    const { stream } = this;
    this.view.showActions({
      canUndo: stream.done.length > 0,
      canRedo: stream.undone.length > 0,
      canBack: stream.viewing === null ? stream.past.length > 0 : stream.viewing > 0,
      painted: stream.current !== null,
    });
    this.showProgress();
    this.showSaving();
    if (this.grid.isOpen) return;
    this.view.strip.show(stream.past, stream.viewing === null ? null : stream.past[stream.viewing]);
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  /** Runs at the start of a frame, so what it puts in place is on screen with that frame. */
  paint() {
    this.frame = undefined;
    if (this.grid.isOpen) return;
    const entry = this.stream.current;
    if (entry && entry.picture.status === "ready") {
      if (this.painted?.entry === entry) return;
      this.seq = Math.max(this.seq ?? 0, this.stream.queue.lastSeq) + 1;
      this.view.paintImage(entry, this.seq);
      this.painted = { entry, seq: this.seq, at: performance.now() };
      this.view.tell(entry);
      return;
    }
    this.painted = null;
    this.view.paintNothing(this.notice(entry));
  }

  notice(entry) {
    const { stream } = this;
    if (entry?.picture.status === "failed") {
      return { title: "This image cannot be shown", text: "Put it off with S, or flag it as unusable with F." };
    }
    if (entry) return { title: "Loading the image…", busy: true };
    if (stream.trouble) {
      return { title: stream.trouble, text: "Your labels are kept on this computer. Trying again…", busy: true };
    }
    const busy = stream.state === "preparing" || stream.state === "refitting";
    const titles = { exhausted: "Nothing left to label", failed: "Something went wrong" };
    return titles[stream.state] ? { title: titles[stream.state], text: stream.message } : { title: stream.message, busy };
  }

  showProgress() {
    const { progress, labeled } = this.stream;
    const recent = this.durations.slice(-PACE_OVER);
    const spent = recent.reduce((sum, ms) => sum + Math.min(ms, PACE_CAP_MS), 0);
    this.view.header.showProgress({
      labeled,
      total: progress?.labels,
      round: progress?.round ?? 0,
      done: progress?.batch_done ?? 0,
      size: progress?.batch_size ?? 0,
      pace: recent.length >= PACE_FROM ? Math.round((60000 * recent.length) / spent) : null,
    });
  }

  showSaving() {
    const { events, offline, blocked, trouble, stored } = this.stream.queue;
    const n = events.length;
    const keep = stored ? "kept on this computer" : "keep this tab open";
    if (blocked) this.view.header.showSaving("stop", `${n} not saved: ${trouble} Reload the page (${keep}).`);
    else if (offline) this.view.header.showSaving("offline", `Offline: ${n} waiting, ${keep}`);
    else if (n) this.view.header.showSaving("busy", `Saving ${n}…`);
    else this.view.header.showSaving("saved", "All saved");
  }

  // Answers

  /** The painting that a key or click at this time was aimed at; null, visibly, if there was none. */
  aimed(at) {
    const { painted } = this;
    if (painted && painted.entry === this.stream?.current && at >= painted.at) return painted;
    this.view.shake();
    return null;
  }

  answer(kind, fields, at, painted = this.aimed(at)) {
    if (!painted) return;
    const duration = Math.max(0, Math.round(at - painted.at));
    this.painted = null; // until the next frame no key has an image to count for
    if (kind !== "skip") this.durations.push(duration);
    this.view.press(fields.class_id);
    if (fields.class_id !== undefined) this.view.finder.used(fields.class_id);
    this.view.lastSaid = this.view.describe({ kind, ...fields });
    this.stream.answer(kind, fields, { seq: painted.seq, duration });
  }

  label(classId, at) {
    this.answer("label", { class_id: classId }, at);
  }

  confirm(at) {
    if (this.stream?.viewing !== null) return this.browseToEnd();
    const top = this.painted?.entry.item.predicted?.[0];
    if (!top) return this.view.shake();
    return this.answer("confirm", { class_id: top[0] }, at);
  }

  /** The arrow to the right: forth again while looking back, else it accepts the prediction. Struck once too
      often on the way forth, it accepts nothing. */
  forward(at) {
    if (this.stream?.viewing !== null) {
      this.browsedAt = at;
      return this.browse(1);
    }
    if (at - (this.browsedAt ?? -Infinity) < BROWSED_MS) return this.view.shake();
    return this.confirm(at);
  }

  skip(at) {
    const entry = this.stream?.current;
    if (entry?.answers.length) return this.view.shake(); // it has an answer; nothing to put off
    if (entry?.picture.status === "failed") return this.answer("skip", {}, at, this.unseen(entry));
    return this.answer("skip", {}, at);
  }

  openFlag(at) {
    const entry = this.stream?.current;
    this.flagging = entry?.picture.status === "failed" ? this.unseen(entry) : this.aimed(at);
    if (this.flagging) this.flagSheet.open();
  }

  flag(reason, note) {
    if (this.flagging?.entry !== this.stream.current) return this.view.shake();
    return this.answer("flag", { flag_reason: reason, note }, performance.now(), this.flagging);
  }

  /** An image that cannot be loaded can still be put off or flagged. */
  unseen(entry) {
    return { entry, seq: this.nextSeq(), at: performance.now() };
  }

  undo() {
    this.move(this.stream?.undo(this.nextSeq()));
  }

  redo() {
    this.move(this.stream?.redo(this.nextSeq()));
  }

  browse(step) {
    this.move(this.stream?.browse(step));
  }

  goTo(entry) {
    this.move(this.stream?.goTo(entry));
  }

  browseToEnd() {
    while (this.stream.viewing !== null) this.stream.browse(1);
    this.move(true);
  }

  move(moved) {
    if (!moved) return this.view.shake();
    this.painted = null;
    return this.render();
  }

  nextSeq() {
    if (this.painted) return this.painted.seq;
    this.seq = Math.max(this.seq ?? 0, this.stream?.queue.lastSeq ?? 0) + 1;
    return this.seq;
  }
}
