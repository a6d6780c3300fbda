/* pictures.js: images fetched and decoded ahead of time, so that the next one is painted in one frame. */

const RELOAD_MS = [1000, 3000, 9000];
const PARALLEL_LOADS = 4;

/** One image on its way: `status` is waiting, loading, ready or failed. `url` carries its own signature. */
class Picture {
  constructor(url) {
    this.url = url;
    this.status = "waiting";
    this.attempts = 0;
  }
}

class PictureLoader {
  constructor() {
    this.onReady = () => {};
    this.wanted = [];
    this.loading = 0;
  }

  /** Loads these pictures, first things first; whatever was wanted before and is not now, is dropped. */
  want(pictures) {
    this.wanted = pictures;
    this.pump();
  }

  pump() {
    for (const picture of this.wanted) {
      if (this.loading >= PARALLEL_LOADS) return;
      if (picture.status === "waiting") this.load(picture);
    }
  }

  async load(picture) {
    picture.status = "loading";
    this.loading += 1;
    const element = new Image();
    element.src = picture.url;
    try {
      await element.decode();
      picture.element = element;
      picture.status = "ready";
    } catch {
      const wait = RELOAD_MS[picture.attempts];
      picture.attempts += 1;
      picture.status = wait === undefined ? "failed" : "resting";
      if (wait !== undefined) setTimeout(() => this.again(picture), wait);
    } finally {
      this.loading -= 1;
    }
    this.onReady(picture);
    this.pump();
  }

  again(picture) {
    if (picture.status === "ready" || picture.status === "loading") return;
    picture.status = "waiting";
    this.pump();
  }
}
