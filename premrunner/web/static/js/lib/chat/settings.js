import { open } from "../dialog.js";
import { RequestFailed, send } from "../request.js";

const NUMBERS = new Set(["temperature", "top_p", "top_k", "min_p", "repeat_penalty", "seed", "max_tokens", "num_ctx"]);

/** What a conversation is set to; of one that has not begun, it goes along with the first message. */
export class ConversationSettings {
  /** @param {() => string} address the conversation's; empty before it has begun */
  constructor(dialog, button, address) {
    this.dialog = dialog;
    this.form = dialog.querySelector("[data-settings-form]");
    this.problem = dialog.querySelector("[data-settings-problem]");
    this.button = button;
    this.address = address;
    button.addEventListener("click", () => open(dialog));
    this.form.addEventListener("change", () => this.#save());
    this.form.addEventListener("reset", () => this.#clear());
    this.#mark();
  }

  /** What was set, under the names of the API. */
  get values() {
    const given = [...new FormData(this.form)].filter(([, text]) => text.trim());
    return Object.fromEntries(given.map(([name, text]) => [name, valueOf(name, text)]));
  }

  /** A reset goes back to what the page came with; here it is meant to empty all. */
  #clear() {
    for (const field of this.form.elements) if (field.name) field.defaultValue = "";
    for (const option of this.form.querySelectorAll("option")) option.defaultSelected = !option.value;
    setTimeout(() => this.#save()); // The browser empties the fields after this.
  }

  async #save() {
    this.#mark();
    this.#show("");
    if (!this.form.checkValidity()) return this.form.reportValidity();
    if (!this.address()) return;
    try {
      await send("PATCH", this.address(), { settings: this.values });
    } catch (error) {
      if (!(error instanceof RequestFailed)) throw error;
      this.#show(error.message, error.field);
    }
  }

  #show(text, name = "") {
    this.problem.textContent = text;
    this.problem.hidden = !text;
    for (const field of this.form.elements) field.ariaInvalid = name && field.name === name ? "true" : null;
  }

  /** A dot on the button tells that something is set. */
  #mark() {
    this.button.toggleAttribute("data-is-set", Object.keys(this.values).length > 0);
  }
}

function valueOf(name, text) {
  if (NUMBERS.has(name)) return Number(text);
  if (name === "stop") return text.split("\n").filter(Boolean);
  return text;
}
