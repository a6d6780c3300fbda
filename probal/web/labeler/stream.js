/* stream.js: which image comes now, next and before. Knows nothing of the page; every answer becomes one
   event that names its image and lease, so that a late server can never aim it at another image. */

const READY_AHEAD = 10; // images kept leased and decoded; more would outlive the round that proposed them
const PICTURES_BEHIND = 8; // answered images whose pixels stay in memory
const HISTORY_KEPT = 120; // answered images that undo, arrow and strip can reach, also after a reload
const PREDICTED_KEPT = 5; // and how many of their predicted classes are stored
const ASK_EMPTY_MS = 1000; // pause between two leases while nothing is left to show,
const ASK_FEW_MS = 2500; // while there is less than we would like,
const ASK_RENEW_MS = 25000; // and while there is enough: a silent window loses its images after two minutes
const ON_SCREEN = 2; // images that a new round does not swap away: the one on screen and the next
const LEASE_MAX = 64;
const ANSWERING = new Set(["label", "confirm", "skip", "flag"]);

class Stream {
  constructor({ api, queue, annotator, client, storageKey }) {
    Object.assign(this, { api, queue, annotator, client, storageKey });
    this.loader = new PictureLoader();
    this.loader.onReady = () => this.onChange();
    this.onChange = () => {};
    this.onRefused = () => {};
    this.past = []; // answered entries in the order of their first answer
    this.ahead = []; // entries to answer; ahead[0] is the current one
    this.viewing = null; // index into past while looking back
    this.done = []; // [{entry, event}] that undo can void, last one last
    this.undone = []; // [{entry, event, undo}] that redo can restore
    this.returning = new Set(); // images whose event was refused: they come back first
    this.touched = new Map(); // image id -> tick of its last answer, to judge what a late lease knew
    this.tick = 0;
    this.state = "preparing";
    this.message = "Asking for images…";
    this.progress = null;
    this.labeled = 0;
    queue.onAnswer = (answer) => this.settled(answer);
    document.addEventListener("visibilitychange", () => this.askIfSeen());
    this.restore();
  }

  get current() {
    return this.viewing === null ? (this.ahead[0] ?? null) : this.past[this.viewing];
  }

  /** Whether the batch is full, so that a new round is on its way. */
  get awaited() {
    return this.progress !== null && this.progress.batch_done >= this.progress.batch_size;
  }

  /** Whether what is ahead was chosen by an older round than there is now. */
  get outdated() {
    return this.round !== undefined && this.progress !== null && this.progress.round !== this.round;
  }

  // Leases

  resume() {
    this.running = true;
    this.ask();
  }

  pause() {
    this.running = false;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  async ask() {
    if (!this.running || this.asking) return;
    clearTimeout(this.timer);
    this.asking = true;
    const asked = this.tick;
    const unsaved = this.queue.imageIds();
    const returning = this.returning;
    this.returning = new Set();
    const n = Math.min(LEASE_MAX, READY_AHEAD + unsaved.size);
    const swap = this.outdated;
    const front = this.ahead.slice(0, ON_SCREEN).map((entry) => entry.item.image_id);
    const keep = swap ? [...new Set([...front, ...unsaved])].filter(Number.isInteger) : undefined;
    try {
      const lease = await this.api.post("lease", { annotator: this.annotator, client: this.client, n, keep });
      this.trouble = null;
      this.state = lease.state;
      this.message = lease.message;
      this.progress = lease.progress;
      if (swap || this.round === undefined) this.round = lease.progress.round;
      this.merge(lease.items, { asked, unsaved, returning, swap, whole: swap || lease.items.length < n });
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.trouble = error.message;
    } finally {
      this.asking = false;
    }
    const enough = this.ahead.length >= READY_AHEAD && !this.awaited;
    const wait = enough ? ASK_RENEW_MS : this.ahead.length ? ASK_FEW_MS : ASK_EMPTY_MS;
    if (this.running) this.timer = setTimeout(() => this.askIfSeen(), this.returning.size || this.outdated ? 0 : wait);
    this.changed();
  }

  /** A tab that nobody looks at lets its leases run out, so that others get the images. */
  askIfSeen() {
    if (!document.hidden) this.ask();
  }

  /** Takes in leased items, and drops what the server no longer leases to us. Images answered since asking,
      or whose answer is not saved yet, stay as they are: the server did not know of it. */
  merge(items, { asked, unsaved, returning, swap, whole }) {
    const told = (id) => !unsaved.has(id) && (this.touched.get(id) ?? -1) <= asked;
    const known = new Map(this.ahead.map((entry) => [entry.item.image_id, entry]));
    const back = [];
    for (const item of items) {
      const entry = known.get(item.image_id);
      if (entry) {
        entry.item = { ...entry.item, lease: item.lease };
      } else if (told(item.image_id)) {
        const fresh = { item, answers: [], picture: new Picture(item.media) };
        (returning.has(item.image_id) ? back : this.ahead).push(fresh);
      }
    }
    const leased = new Set(items.map((item) => item.image_id));
    const ours = ({ item: { image_id } }) => leased.has(image_id) || !told(image_id);
    if (whole) this.ahead = this.ahead.filter(ours);
    if (swap) this.reorder(items);
    this.ahead.splice(1, 0, ...back); // next, not now: the image on screen must not change by itself
  }

  /** The server's order behind the image on screen. */
  reorder(items) {
    const place = new Map(items.map(({ image_id }, at) => [image_id, at]));
    const [front, ...others] = this.ahead;
    others.sort((one, other) => (place.get(one.item.image_id) ?? 0) - (place.get(other.item.image_id) ?? 0));
    if (front) this.ahead = [front, ...others];
  }

  // Answers

  /** Records one answer for the current image and moves on. `seq` is the number of its painting. */
  answer(kind, fields, { seq, duration }) {
    const entry = this.current;
    const event = this.post(kind, entry, { ...fields, seq, duration_ms: duration });
    this.done.push({ entry, event });
    this.undone = [];
    this.take(entry, event);
    this.changed();
    return event;
  }

  undo(seq) {
    const last = this.done.pop();
    if (!last) return null;
    const undo = this.post("undo", last.entry, { seq, target_event_id: last.event.event_id });
    this.undone.push({ ...last, undo });
    this.untake(last.entry, last.event);
    this.changed();
    return last;
  }

  redo(seq) {
    const last = this.undone.pop();
    if (!last) return null;
    this.post("redo", last.entry, { seq, target_event_id: last.undo.event_id });
    this.done.push({ entry: last.entry, event: last.event });
    this.take(last.entry, last.event);
    this.changed();
    return last;
  }

  post(kind, entry, fields) {
    const { image_id, lease } = entry.item;
    const event = { event_id: newId(), kind, annotator: this.annotator, image_id, lease, ...fields };
    this.touched.set(image_id, ++this.tick);
    this.queue.push(event);
    return event;
  }

  /** The entry now has this answer and stands behind us. */
  take(entry, event) {
    if (entry.answers.length === 0 && isLabel(event)) this.labeled += 1;
    entry.answers.push(event);
    this.ahead = this.ahead.filter((other) => other.item.image_id !== entry.item.image_id);
    if (!this.past.includes(entry)) this.past.push(entry);
    this.viewing = null;
  }

  /** Takes one answer away; an entry without any comes back to the front. */
  untake(entry, event) {
    entry.answers = entry.answers.filter((other) => other !== event);
    if (entry.answers.length) {
      this.viewing = this.past.indexOf(entry);
      return;
    }
    if (isLabel(event)) this.labeled = Math.max(0, this.labeled - 1);
    this.past = this.past.filter((other) => other !== entry);
    const again = this.ahead.find((other) => other.item.image_id === entry.item.image_id);
    if (again) entry.item = { ...entry.item, lease: again.item.lease };
    this.ahead = [entry, ...this.ahead.filter((other) => other !== again)];
    this.viewing = null;
  }

  /** One image back or forth through what was answered; false at either end. */
  browse(step) {
    const at = (this.viewing ?? this.past.length) + step;
    if (at < 0 || at > this.past.length || (this.viewing === null && step > 0)) return false;
    this.viewing = at === this.past.length ? null : at;
    this.changed();
    return true;
  }

  /** To an answered entry, or with null to the front. */
  goTo(entry) {
    const at = entry === null ? null : this.past.indexOf(entry);
    if (at === -1 || at === this.viewing) return false;
    this.viewing = at;
    this.changed();
    return true;
  }

  /** The server has committed or refused events. A refused answer is taken back and its image returns. */
  settled({ settled, rejected, progress }) {
    this.progress = progress ?? this.progress;
    const reasons = new Map(rejected.map((refusal) => [refusal.event_id, refusal.reason]));
    for (const event of settled) {
      const reason = reasons.get(event.event_id);
      if (reason !== undefined) this.refuse(event, reason);
    }
    this.changed();
    if (this.returning.size || this.outdated || this.awaited || this.ahead.length < READY_AHEAD - 2) this.ask();
  }

  refuse(event, reason) {
    if (ANSWERING.has(event.kind)) {
      this.forget(event);
      this.done = this.done.filter((one) => one.event.event_id !== event.event_id);
      this.undone = this.undone.filter((one) => one.event.event_id !== event.event_id);
      this.touched.delete(event.image_id);
      this.returning.add(event.image_id);
    }
    this.onRefused(event, reason);
  }

  /** Removes a refused answer. The image on screen stays, unless it is the refused one looked back at. */
  forget(event) {
    const entry = this.past.find((other) => other.answers.some((answer) => answer.event_id === event.event_id));
    if (!entry) return;
    entry.answers = entry.answers.filter((answer) => answer.event_id !== event.event_id);
    if (entry.answers.length) return;
    const viewed = this.viewing === null ? null : this.past[this.viewing];
    this.past = this.past.filter((other) => other !== entry);
    this.viewing = viewed === null || viewed === entry ? null : this.past.indexOf(viewed);
    if (isLabel(event)) this.labeled = Math.max(0, this.labeled - 1);
  }

  // Pictures and memory

  changed() {
    const from = Math.max(0, (this.viewing ?? this.past.length) - 2);
    const near = [this.current, ...this.ahead.slice(0, READY_AHEAD), ...this.past.slice(from).reverse()];
    const wanted = [...new Set(near.filter(Boolean).map((entry) => entry.picture))];
    this.loader.want(wanted);
    this.past.slice(0, -PICTURES_BEHIND).forEach((entry) => {
      if (entry.picture.element && !wanted.includes(entry.picture)) entry.picture = new Picture(entry.item.media);
    });
    this.remember();
    this.onChange();
  }

  remember() {
    const kept = this.past.slice(-HISTORY_KEPT).map(({ item, answers }) => ({
      item: item.predicted ? { ...item, predicted: item.predicted.slice(0, PREDICTED_KEPT) } : item,
      answers,
    }));
    try {
      localStorage.setItem(this.storageKey, JSON.stringify(kept));
    } catch {
      // Only going back after a reload is lost; the events themselves are the queue's care.
    }
  }

  restore() {
    let kept = [];
    try {
      kept = JSON.parse(localStorage.getItem(this.storageKey)) ?? [];
    } catch {
      return; // unreadable or forbidden storage: no history to go back to
    }
    this.past = kept.map(({ item, answers }) => ({ item, answers, picture: new Picture(item.media) }));
    this.done = this.past.flatMap((entry) => entry.answers.map((event) => ({ entry, event })));
    this.done.sort((one, other) => one.event.seq - other.event.seq);
  }
}

function isLabel(event) {
  return event.kind === "label" || event.kind === "confirm";
}
