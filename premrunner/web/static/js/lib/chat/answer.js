import { ConnectionBroken, events } from "../events.js";
import { isLoaded } from "../engine.js";
import { get } from "../request.js";
import { addCopyButtons } from "./code_blocks.js";

const TRIES = 8;
const RETRY_MS = 1500;

const part = (root, name) => root.querySelector(`[data-${name}]`);

/**
 * One answer of the page, which may be growing. Its HTML comes from the server, which sanitised it; the answer goes on
 * there when this page goes, and whoever comes back follows it again.
 */
export class Answer {
  #leaving = new AbortController();

  /**
   * @param {HTMLElement} element
   * @param {{onGrow: (change: () => string) => void, onEnd: (end: object) => void, onTitle: (title: string) => void}} told
   */
  constructor(element, told) {
    this.element = element;
    this.told = told;
    addEventListener("pagehide", () => this.#leaving.abort(), { once: true });
  }

  get isRunning() {
    return this.element.dataset.status === "running";
  }

  /** The last block, as text for those who listen. */
  get openText() {
    return part(this.element, "open").textContent;
  }

  /** Show the answer as it grows, until it has ended; also when the connection breaks in between. */
  async follow() {
    part(this.element, "waiting-text").textContent = isLoaded(this.element.dataset.model) ? "" : "Bringing the model into memory…";
    for (let tries = 0; this.isRunning; tries++) {
      try {
        await this.#read();
      } catch (error) {
        if (error.name === "AbortError") return;
        if (tries >= TRIES) return this.#fail(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async #read() {
    const response = await get(this.element.dataset.events, this.#leaving.signal);
    let isFirst = true;
    for await (const event of events(response)) {
      if (event.text !== undefined) {
        this.told.onGrow(() => this.#grow(event, isFirst));
        isFirst = false;
      }
      if (event.end) this.#end(event.end);
      if (event.title) this.told.onTitle(event.title);
    }
    if (this.isRunning) throw new ConnectionBroken();
  }

  /** Take in an event, and return the text of the blocks that have settled. */
  #grow({ text, thinking, settled, open }, isFirst) {
    const blocks = document.createRange().createContextualFragment(settled);
    const settledText = isFirst ? "" : blocks.textContent;
    const shown = part(this.element, "settled");
    isFirst ? shown.replaceChildren(blocks) : shown.append(blocks);
    part(this.element, "open").innerHTML = open;
    if (text) part(this.element, "waiting").hidden = true;
    const thought = part(this.element, "thinking-text");
    thought.textContent = isFirst ? thinking : thought.textContent + thinking;
    part(this.element, "thinking").hidden = !thought.textContent;
    addCopyButtons(shown);
    return settledText;
  }

  #end({ status, thought, foot, error }) {
    this.element.dataset.status = status;
    part(this.element, "waiting").hidden = true;
    part(this.element, "thought").textContent = thought;
    part(this.element, "foot").innerHTML = foot;
    addCopyButtons(this.element);
    this.told.onEnd({ status, error });
  }

  #fail({ message }) {
    this.element.dataset.status = "lost";
    part(this.element, "waiting").hidden = true;
    const problem = Object.assign(document.createElement("p"), { className: "problem", textContent: `${message} Reload the page.` });
    part(this.element, "foot").replaceChildren(problem);
    this.told.onEnd({ status: "failed", error: message });
  }
}
