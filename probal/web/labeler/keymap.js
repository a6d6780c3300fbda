/* keymap.js: which key does what. A project's own keys come with its classes; a person may bind others, which
   stay in this browser. C and R are Streamlit's and are never given out. */

const NEVER = new Set(["c", "r"]);
const ACTION_KEYS = { skip: "s", flag: "f", undo: "z", redo: "y", grid: "g", help: "h" };
const ACTION_WORDS = {
  skip: "Later: the image comes back at the end",
  flag: "Flag: take the image out, with a reason",
  undo: "Undo the last answer",
  redo: "Redo",
  grid: "Grid, and back to one by one",
  help: "This list",
};

class Keymap {
  /** `classes` as the page hands them over; `storageKey` names workspace and project. */
  constructor(classes, storageKey) {
    this.storageKey = storageKey;
    this.defaults = new Map(classes.filter(({ key }) => key).map(({ id, key }) => [id, key.toLowerCase()]));
    const taken = new Set(this.defaults.values());
    for (const [action, key] of Object.entries(ACTION_KEYS)) {
      if (!taken.has(key)) this.defaults.set(action, key); // with very many classes a class may have it
    }
    this.ids = new Set([...classes.map(({ id }) => id), ...Object.keys(ACTION_KEYS)]);
    this.keys = new Map(this.defaults);
    this.restore();
  }

  /** The key of a class id or an action, undefined if it has none. */
  of(id) {
    return this.keys.get(id);
  }

  /** The class id or action that a key stands for. */
  meaning(key) {
    for (const [id, own] of this.keys) if (own === key) return id;
    return undefined;
  }

  /** Gives a key to `id`; whoever had it takes the key that `id` had. False for a key that cannot be given. */
  bind(id, key) {
    if (!/^[a-z0-9]$/.test(key) || NEVER.has(key)) return false;
    const before = this.keys.get(id);
    const other = this.meaning(key);
    if (other !== undefined && other !== id) {
      if (before === undefined) this.keys.delete(other);
      else this.keys.set(other, before);
    }
    this.keys.set(id, key);
    this.remember();
    return true;
  }

  reset() {
    this.keys = new Map(this.defaults);
    this.remember();
  }

  remember() {
    try {
      localStorage.setItem(this.storageKey, JSON.stringify([...this.keys]));
    } catch {
      // Forbidden storage: the keys last as long as the page.
    }
  }

  restore() {
    let kept = null;
    try {
      kept = JSON.parse(localStorage.getItem(this.storageKey));
    } catch {
      return; // unreadable: the project's own keys
    }
    if (!Array.isArray(kept)) return;
    const known = kept.filter(([id, key]) => this.ids.has(id) && /^[a-z0-9]$/.test(key) && !NEVER.has(key));
    const taken = new Set(known.map(([, key]) => key));
    const bound = new Set(known.map(([id]) => id));
    // a class that is new since keeps its own key where that is still free
    const fresh = [...this.defaults].filter(([id, key]) => !bound.has(id) && !taken.has(key));
    this.keys = new Map([...known, ...fresh]);
  }
}
