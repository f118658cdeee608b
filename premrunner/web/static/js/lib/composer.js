/** The box to write in: grows with its text; Enter sends, Shift+Enter begins a line. */
export class Composer {
  constructor(form, { onSend, onStop }) {
    this.form = form;
    this.field = form.querySelector("[data-question]");
    this.sendButton = form.querySelector("[data-send]");
    this.stopButton = form.querySelector("[data-stop]");
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
    document.addEventListener("keydown", (event) => event.key === "Escape" && onStop());
  }

  get text() {
    return this.field.value.trim();
  }

  set text(text) {
    this.field.value = text;
    this.#grow();
  }

  /** The stylesheet does it, where the browser knows how. */
  #grow() {
    if (!CSS.supports("field-sizing", "content")) this.field.rows = Math.min(8, this.text.split("\n").length);
  }

  /** Show Stop in the place of Send; whoever pressed one of them goes on in the box. */
  setBusy(isBusy) {
    const hadFocus = this.form.contains(document.activeElement);
    this.sendButton.hidden = isBusy;
    this.stopButton.hidden = !isBusy;
    if (hadFocus) this.field.focus();
  }
}
