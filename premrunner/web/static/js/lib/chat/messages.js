import { isAtEnd, scrollToEnd } from "../scroll.js";
import { addCopyButtons } from "./code_blocks.js";
import { Answer } from "./answer.js";

/** The list of messages: puts new ones in as the server rendered them, and follows the answers that are growing. */
export class Messages {
  #running = new Set();

  /**
   * @param {HTMLElement} list
   * @param {import("../announcer.js").Announcer} announcer
   * @param {{onBusy: (isBusy: boolean) => void, onTitle: (title: string) => void}} told
   */
  constructor(list, announcer, told) {
    this.list = list;
    this.announcer = announcer;
    this.told = told;
    addCopyButtons(list);
    this.followRunning();
  }

  get isBusy() {
    return this.#running.size > 0;
  }

  /** Elements of the answers that are being written. */
  get running() {
    return [...this.#running].map((answer) => answer.element);
  }

  /** Id of the message at the end; empty before the first. */
  get lastId() {
    return this.list.lastElementChild?.dataset.message ?? "";
  }

  /** Put messages at the end, after taking away `from` and all that follows it. */
  add(html, from = null) {
    this.#removeFrom(from);
    this.list.insertAdjacentHTML("beforeend", html);
    this.followRunning();
    scrollToEnd();
  }

  /** Put messages before the first, and leave those that are read where they are. */
  prepend(elements) {
    const page = document.scrollingElement;
    const fromEnd = page.scrollHeight - page.scrollTop;
    this.list.prepend(...elements);
    addCopyButtons(this.list);
    page.scrollTop = page.scrollHeight - fromEnd;
  }

  /** Show other messages in the place of these. */
  replace(elements) {
    this.list.replaceChildren(...elements);
    addCopyButtons(this.list);
    this.followRunning();
  }

  followRunning() {
    for (const element of this.list.querySelectorAll('[data-status="running"]')) this.#follow(element);
    this.list.setAttribute("aria-busy", this.isBusy);
  }

  #removeFrom(from) {
    while (from) {
      const next = from.nextElementSibling;
      from.remove();
      from = next;
    }
  }

  async #follow(element) {
    if (this.running.includes(element)) return;
    const answer = new Answer(element, {
      onGrow: (change) => keepingEnd(() => this.announcer.say(change())),
      onEnd: (end) => this.#end(answer, end),
      onTitle: this.told.onTitle,
    });
    this.#running.add(answer);
    this.told.onBusy(true);
    await answer.follow();
    this.#running.delete(answer);
  }

  #end(answer, { status, error }) {
    this.#running.delete(answer);
    this.announcer.sayNow(status === "done" ? `${answer.openText} End of the answer.` : error || "Stopped.");
    if (document.scrollingElement && isAtEnd()) scrollToEnd();
    this.list.setAttribute("aria-busy", this.isBusy);
    this.told.onBusy(this.isBusy);
  }
}

function keepingEnd(change) {
  const wasAtEnd = isAtEnd();
  change();
  if (wasAtEnd) scrollToEnd();
}
