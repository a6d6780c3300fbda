/* queue.js: events on their way to the server. In order, one call at a time, kept on this computer until
   the server has committed them, so that neither a lost connection nor a closed tab loses a label. */

const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15000];
const EVENTS_PER_CALL = 50;

class EventQueue {
  /** `storageKey` must name workspace, project and tab: events must never reach another project. */
  constructor({ api, storageKey }) {
    this.api = api;
    this.storageKey = storageKey;
    this.onChange = () => {};
    this.onAnswer = () => {};
    this.whenIdle = [];
    this.failures = 0;
    this.trouble = null; // why the last call failed, in words
    this.blocked = false; // a refusal that no retry can mend, as a wrong token
    this.sending = false;
    this.stored = true; // whether what waits is in localStorage
    const stored = this.load();
    this.events = stored.events;
    this.lastSeq = stored.seq;
    window.addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
    window.addEventListener("beforeunload", (event) => this.stored || this.isEmpty || event.preventDefault());
    this.send();
  }

  get isEmpty() {
    return this.events.length === 0;
  }

  load() {
    try {
      const stored = JSON.parse(localStorage.getItem(this.storageKey));
      if (Array.isArray(stored?.events)) return stored;
    } catch {
      // Unreadable or forbidden storage: start empty; nothing that was stored could be sent anyway.
    }
    return { events: [], seq: 0 };
  }

  save() {
    try {
      localStorage.setItem(this.storageKey, JSON.stringify({ events: this.events, seq: this.lastSeq }));
      this.stored = true;
    } catch {
      this.stored = false; // full or forbidden: the state line says that closing the tab would lose events
    }
  }

  push(event) {
    this.pushAll([event]);
  }

  pushAll(events) {
    this.lastSeq = Math.max(this.lastSeq, ...events.map((event) => event.seq));
    this.events.push(...events);
    this.save();
    this.onChange();
    this.send();
  }

  /** Resolves once nothing waits any more. */
  idle() {
    if (this.isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.whenIdle.push(resolve));
  }

  imageIds() {
    return new Set(this.events.map((event) => event.image_id));
  }

  retryNow() {
    if (this.blocked) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.send();
  }

  async send() {
    if (this.sending || this.blocked || this.timer || this.isEmpty) return;
    this.sending = true;
    const batch = this.events.slice(0, this.single ? 1 : EVENTS_PER_CALL);
    try {
      const answer = await this.api.post("events", { events: batch });
      if (answer.accepted.length + answer.rejected.length === 0) {
        throw new CallError("The server neither took nor refused the labels.", { retry: true });
      }
      this.settle(answer);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      this.fail(error, batch);
    } finally {
      this.sending = false;
    }
    this.onChange();
    this.send();
  }

  settle({ accepted, rejected, progress }) {
    this.failures = 0;
    this.trouble = null;
    this.single = false;
    const gone = new Set([...accepted, ...rejected.map((refusal) => refusal.event_id)]);
    const settled = this.events.filter((event) => gone.has(event.event_id));
    this.events = this.events.filter((event) => !gone.has(event.event_id));
    this.save();
    this.onAnswer({ settled, rejected, progress });
    if (this.isEmpty) this.whenIdle.splice(0).forEach((resolve) => resolve());
  }

  fail(error, batch) {
    this.trouble = error.message;
    if (error.retry) {
      const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)];
      this.failures += 1;
      this.timer = setTimeout(() => this.retryNow(), wait * (0.8 + 0.4 * Math.random()));
    } else if (error.status === 401 || error.status === 403 || error.status === 404) {
      this.blocked = true; // keep everything: a reload brings a fresh token, or the project back
    } else if (batch.length > 1) {
      this.single = true; // one malformed event must not hold back the others
    } else {
      this.settle({ accepted: [], rejected: [{ event_id: batch[0].event_id, reason: error.message }] });
    }
  }

  get offline() {
    return this.failures > 0;
  }
}
