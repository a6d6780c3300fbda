/* keys.js: what a struck key means. Kept apart from label.js, which says what then happens. */

Labeler.prototype.key = function (event) {
  if (this.view.root.isConnected && this.dismissAlarm()) return;
  if (!this.view.root.isConnected || this.flagSheet.dialog.open || this.personSheet.dialog.open || isTyping(event)) return;
  const key = event.key.toLowerCase();
  if (this.help.open) {
    if (this.help.waiting === null && key === "?") this.help.dialog.close();
    return;
  }
  const run = event.altKey ? undefined : this.grid.isOpen ? this.gridCommand(key, event) : this.command(key, event);
  if (!run) return;
  event.preventDefault();
  if (key === "c" || key === "r") event.stopPropagation(); // Streamlit's own: clear the cache, run again
  if (!event.repeat) run();
};

/** Without its server Streamlit lays a sheet over the page. Labeling goes on without it, so a key clears the
    sheet away; the key itself counts for nothing, since the image was covered. */
Labeler.prototype.dismissAlarm = function () {
  const alarm = document.querySelector("[data-testid=stDialog], [role=dialog]:not(.pal-sheet)");
  const close = alarm?.querySelector("button[aria-label=Close], button[aria-label=close]");
  if (!close || !this.stream?.trouble && !this.stream?.queue.offline || !/^Connection error/.test(alarm.innerText.trim())) return false;
  close.click();
  this.view.root.focus({ preventScroll: true });
  this.view.shake();
  return true;
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
  if (key === "arrowright") return () => this.forward(at);
  const meaning = this.keymap.meaning(key) ?? this.keymap.meaning(digitOf(event));
  if (this.view.names.has(meaning)) return () => this.label(meaning, at);
  const commands = {
    undo: () => this.undo(),
    redo: () => this.redo(),
    skip: () => this.skip(at),
    flag: () => this.openFlag(at),
    grid: () => this.setMode("grid"),
    help: () => this.help.show(),
  };
  if (meaning) return commands[meaning];
  if (key === "?") return commands.help;
  if (key === "/") return () => this.view.finder.open() || this.view.shake();
  if (key === "+" || key === "=") return () => this.view.zoom.by(ZOOM_STEP);
  if (key === "-") return () => this.view.zoom.by(1 / ZOOM_STEP);
  if (key === " ") return event.target.closest?.(OWN_KEYS) ? undefined : () => this.view.zoom.flip();
  return /^[\p{L}\p{N}]$/u.test(key) ? () => this.view.shake() : undefined; // no class has this key
};

/** What a key does in the grid. */
Labeler.prototype.gridCommand = function (key, event) {
  const { grid } = this;
  const at = event.timeStamp;
  const own = event.target.closest?.(OWN_KEYS);
  const tile = event.target.closest?.(".pal-tile");
  if (event.ctrlKey || event.metaKey) return key === "z" && !event.shiftKey ? () => grid.undo() : undefined;
  if (key === "enter") return own && !tile ? undefined : () => grid.confirm(at);
  if (key === "escape") return () => this.setMode("single");
  if (key.startsWith("arrow")) return tile ? () => grid.view.step(tile, key) : undefined;
  const meaning = this.keymap.meaning(key) ?? this.keymap.meaning(digitOf(event));
  if (this.view.names.has(meaning)) return () => grid.assign(meaning, tile, at);
  if (meaning === "undo") return () => grid.undo();
  if (meaning === "grid") return () => this.setMode("single");
  if (meaning === "help" || key === "?") return () => this.help.show();
  return /^[\p{L}\p{N}]$/u.test(key) ? () => this.view.shake() : undefined;
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
