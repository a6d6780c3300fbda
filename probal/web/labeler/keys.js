/* keys.js: what a struck key means. Kept apart from label.js, which says what then happens. */

Labeler.prototype.key = function (event) {
  if (!this.view.root.isConnected || this.flagSheet.dialog.open || isTyping(event)) return;
  const key = event.key.toLowerCase();
  if (this.help.open) {
    if (key === "?" || key === "h") this.help.close();
    return;
  }
  const run = event.altKey ? undefined : this.command(key, event);
  if (!run) return;
  event.preventDefault();
  if (key === "c" || key === "r") event.stopPropagation(); // Streamlit's own: clear the cache, run again
  if (!event.repeat) run();
};

/** What this key does, or undefined if it is none of ours. */
Labeler.prototype.command = function (key, event) {
  const at = event.timeStamp;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return () => (event.shiftKey ? this.redo() : this.undo());
    return key === "y" ? () => this.redo() : undefined;
  }
  if (key === "enter") return event.target.closest?.(OWN_KEYS) ? undefined : () => this.confirm(at);
  if (key === "arrowleft") return () => this.browse(-1);
  if (key === "arrowright") return () => this.browse(1);
  const classId = this.keys.get(key) ?? this.keys.get(digitOf(event));
  if (classId !== undefined) return () => this.label(classId, at);
  const commands = {
    z: () => this.undo(),
    u: () => this.undo(),
    y: () => this.redo(),
    s: () => this.skip(at),
    f: () => this.openFlag(at),
    h: () => this.help.showModal(),
    "?": () => this.help.showModal(),
  };
  if (commands[key]) return commands[key];
  return /^[\p{L}\p{N}]$/u.test(key) ? () => this.view.shake() : undefined; // no class has this key
};

/** The digit of a key whose layout needs shift for digits, as the French one. */
function digitOf(event) {
  return event.shiftKey ? undefined : /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
}

function isTyping(event) {
  const target = event.composedPath()[0];
  if (event.isComposing || !(target instanceof Element)) return event.isComposing;
  return Boolean(target.closest(EDITABLE) || target.closest(ELSEWHERE));
}
