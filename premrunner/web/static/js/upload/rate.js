const WINDOW_MS = 8000;

/** How fast bytes move lately, and how long the rest will take. */
export class Rate {
  #samples = [];

  add(bytes) {
    const now = performance.now();
    this.#samples.push([now, bytes]);
    while (this.#samples.length > 2 && now - this.#samples[0][0] > WINDOW_MS) this.#samples.shift();
  }

  reset() {
    this.#samples = [];
  }

  get bytesPerSecond() {
    if (this.#samples.length < 2) return 0;
    const [[begin, before], [end, after]] = [this.#samples[0], this.#samples.at(-1)];
    return end > begin ? Math.max(0, ((after - before) / (end - begin)) * 1000) : 0;
  }
}
