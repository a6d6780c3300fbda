/* zoom.js: a closer look at the image: wheel, pinch, drag, double click, buttons and keys. Every new image
   starts fitted to the stage. */

const ZOOM_MAX = 16;
const ZOOM_STEP = 1.35;
const SCREEN = 1280; // the longest side of what comes first
const LARGE = 4096; // the size that is fetched once somebody looks closer

class Zoom {
  constructor(stage, frame) {
    this.stage = stage;
    this.frame = frame;
    this.pointers = new Map();
    this.controls = make("div", { cls: "pal-zoom", role: "toolbar", "aria-label": "Zoom" });
    this.button("−", "Zoom out (-)", "zoom-out", () => this.by(1 / ZOOM_STEP));
    this.toggle = this.button("1:1", "Original size (Space)", "zoom-toggle", () => this.flip());
    this.button("+", "Zoom in (+)", "zoom-in", () => this.by(ZOOM_STEP));
    stage.append(this.controls);
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => this.image && !this.onControls(event) && this.flip(event));
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    this.show(null);
  }

  button(text, label, testid, run) {
    const button = make("button", { type: "button", text, title: label, "aria-label": label, "data-testid": testid });
    button.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays where keys count
    button.addEventListener("click", run);
    this.controls.append(button);
    return button;
  }

  onControls(event) {
    return this.controls.contains(event.target);
  }

  /** Another image, or none; fitted. */
  show(image) {
    this.image = image;
    this.controls.hidden = !image;
    this.pointers.clear();
    this.set(1, 0, 0);
  }

  set(scale, x, y) {
    const { clientWidth: width, clientHeight: height } = this.frame;
    const [spareX, spareY] = [(width * Math.abs(scale - 1)) / 2, (height * Math.abs(scale - 1)) / 2];
    this.scale = scale;
    this.x = Math.max(-spareX, Math.min(spareX, x));
    this.y = Math.max(-spareY, Math.min(spareY, y));
    this.frame.style.transform = scale === 1 ? "" : `translate(${this.x}px, ${this.y}px) scale(${scale})`;
    this.stage.classList.toggle("pal-zoomed", scale !== 1);
    this.toggle.textContent = scale === 1 ? "1:1" : "Fit";
    this.toggle.setAttribute("aria-label", scale === 1 ? "Original size (Space)" : "Fit to the window (Space)");
    if (scale > 1) this.sharpen();
  }

  /** Zooms by a factor about a point of the stage, its middle by default. */
  by(factor, point) {
    if (!this.image) return;
    const box = this.stage.getBoundingClientRect();
    const px = (point?.clientX ?? box.left + box.width / 2) - box.left - box.width / 2;
    const py = (point?.clientY ?? box.top + box.height / 2) - box.top - box.height / 2;
    const scale = Math.max(1, Math.min(ZOOM_MAX, this.scale * factor));
    const grown = scale / this.scale;
    this.set(scale, px - (px - this.x) * grown, py - (py - this.y) * grown);
  }

  /** Between fitted and one pixel of the image per pixel of the screen. */
  async flip(point) {
    if (!this.image) return;
    if (this.scale !== 1) {
      this.set(1, 0, 0);
      return;
    }
    const { image } = this;
    await this.sharpen();
    if (this.image !== image) return;
    const fitted = Math.min(this.frame.clientWidth / image.naturalWidth, this.frame.clientHeight / image.naturalHeight);
    const scale = 1 / (fitted * (window.devicePixelRatio || 1));
    if (scale > 1) this.by(scale, point);
    else this.set(scale, 0, 0);
  }

  /** Swaps in a larger version where the one at hand is a reduced one. */
  async sharpen() {
    const { image } = this;
    if (!image || image.dataset.large || Math.max(image.naturalWidth, image.naturalHeight) < SCREEN) return;
    image.dataset.large = "asked";
    const large = new Image();
    large.src = sized(image.src, LARGE);
    try {
      await large.decode();
      image.src = large.src;
      await image.decode();
    } catch {
      delete image.dataset.large; // the reduced one stays; the next look tries again
    }
  }

  wheel(event) {
    if (!this.image) return;
    event.preventDefault();
    this.by(Math.exp(-event.deltaY * 0.0015), event);
  }

  down(event) {
    if (!this.image || this.onControls(event)) return;
    this.pointers.set(event.pointerId, event);
    if (this.scale !== 1) this.stage.setPointerCapture(event.pointerId);
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const other = [...this.pointers.values()].find((one) => one.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (other) {
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
      this.by(apart(event) / Math.max(1, apart(before)), middle);
    } else if (this.scale !== 1) {
      this.set(this.scale, this.x + event.clientX - before.clientX, this.y + event.clientY - before.clientY);
    }
  }
}
