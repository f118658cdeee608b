const LEAST_GAP_MS = 2500;

/** Speaks a growing answer to screen readers, block by block and never faster than can be listened to. */
export class Announcer {
  #region;
  #waiting = "";
  #timer = 0;

  constructor(region) {
    this.#region = region;
  }

  /** Add to what will be said next. */
  say(text) {
    if (!text) return;
    this.#waiting += `${text} `;
    this.#timer ||= setTimeout(() => this.#speak(), LEAST_GAP_MS);
  }

  /** Say this at once; what waited before comes first. */
  sayNow(text) {
    this.#waiting += text;
    clearTimeout(this.#timer);
    this.#speak();
  }

  #speak() {
    this.#region.textContent = this.#waiting;
    this.#waiting = "";
    this.#timer = 0;
  }
}
