import { RequestFailed } from "../request.js";
import { register } from "../shortcuts.js";
import { Attachments } from "./attachments.js";

/** The box to write in: grows with its text; Enter sends, Shift+Enter begins a line, Esc stops. */
export class Composer {
  /** @param {{onSend: () => void, onStop: () => void}} told */
  constructor(form, { onSend, onStop }) {
    this.form = form;
    this.field = form.querySelector("[data-question]");
    this.sendButton = form.querySelector("[data-send]");
    this.stopButton = form.querySelector("[data-stop]");
    this.attachments = new Attachments(form, (problem) => this.showProblem(problem));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onSend();
    });
    this.field.addEventListener("keydown", (event) => {
      // While an input method is composing, Enter accepts its word.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      onSend();
    });
    this.field.addEventListener("input", () => this.#grow());
    this.stopButton.addEventListener("click", onStop);
    register("Escape", "Stop the answer", () => document.querySelector(":popover-open") || onStop(), "Chat");
    register("Mod+Enter", "Send", onSend, "Chat");
  }

  get text() {
    return this.field.value.trim();
  }

  set text(text) {
    this.field.value = text;
    this.#grow();
  }

  get isEmpty() {
    return !this.text && !this.attachments.urls.length;
  }

  clear() {
    this.text = "";
    this.attachments.clear();
    this.showProblem("");
  }

  /** See that each picker has a model, or say why nothing is sent; tells whether each has. */
  async choose(pickers) {
    try {
      const chosen = await Promise.all(pickers.map((picker) => picker.choose()));
      if (chosen.every(Boolean)) return true;
      this.showProblem("No model can be asked yet. What you wrote stays here until one can.");
    } catch (error) {
      if (!(error instanceof RequestFailed)) throw error;
      this.showProblem(error.message);
    }
    return false;
  }

  /** Say why nothing was sent; what was written stays. */
  showProblem(text) {
    const problem = this.form.querySelector("[data-composer-problem]");
    problem.textContent = text;
    problem.hidden = !text;
  }

  /** Show Stop in the place of Send; whoever pressed one of them goes on in the box. */
  setBusy(isBusy) {
    const hadFocus = [this.sendButton, this.stopButton].includes(document.activeElement);
    this.sendButton.hidden = isBusy;
    this.stopButton.hidden = !isBusy;
    if (hadFocus) this.field.focus();
  }

  /** The stylesheet does it, where the browser knows how. */
  #grow() {
    if (!CSS.supports("field-sizing", "content")) this.field.rows = Math.min(8, this.field.value.split("\n").length);
  }
}
