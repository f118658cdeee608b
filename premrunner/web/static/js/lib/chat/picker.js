import { RequestFailed, get } from "../request.js";
import { toast } from "../toast.js";

/** A combobox of models: a button that opens a list with a search; arrows, Enter, Esc, and the mouse. */
export class Picker {
  #active = null;

  /** @param {(picker: Picker) => void} onPick */
  constructor(element, onPick = () => {}) {
    this.element = element;
    this.button = element.querySelector("button");
    this.box = element.querySelector("[data-picker-box]");
    this.search = element.querySelector("[role=combobox]");
    this.list = element.querySelector("[role=listbox]");
    this.onPick = onPick;
    this.button.addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
    this.search.addEventListener("input", () => this.#filter());
    this.search.addEventListener("keydown", (event) => this.#press(event));
    // The search keeps the focus, so that it can be written on after a click.
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", ({ target }) => this.#pick(target.closest("[role=option]")));
    element.addEventListener("focusout", ({ relatedTarget }) => element.contains(relatedTarget) || this.close());
    document.addEventListener("click", ({ target }) => element.contains(target) || this.close());
    onPick(this);
  }

  get value() {
    return this.element.dataset.value;
  }

  get sees() {
    return "sees" in this.element.dataset;
  }

  get isOpen() {
    return !this.box.hidden;
  }

  async open() {
    this.box.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.search.value = "";
    this.search.focus();
    try {
      await this.#read();
    } catch (error) {
      if (!(error instanceof RequestFailed)) throw error;
      toast(error.message, { isBad: true });
    }
  }

  /**
   * Where none is chosen yet, because the engine was away when the page was made: take the model that was wanted, or
   * the first that can be asked by now. Tells whether one is chosen.
   */
  async choose() {
    if (this.value) return true;
    await this.#read();
    const ready = this.#options.filter((option) => option.ariaDisabled !== "true");
    this.#take(ready.find((option) => option.dataset.value === this.element.dataset.wanted) ?? ready[0]);
    return Boolean(this.value);
  }

  close() {
    this.box.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
  }

  async #read() {
    this.list.innerHTML = await (await get(this.element.dataset.choicesUrl)).text();
    this.#options.forEach((option, index) => {
      option.id = `${this.list.id}-${index}`;
      option.setAttribute("aria-selected", option.dataset.value === this.value);
    });
    this.#filter();
  }

  get #options() {
    return [...this.list.children];
  }

  get #shown() {
    return this.#options.filter((option) => !option.hidden && option.ariaDisabled !== "true");
  }

  #filter() {
    const words = this.search.value.toLowerCase().split(/\s+/);
    for (const option of this.#options) {
      const text = `${option.textContent} ${option.dataset.value}`.toLowerCase();
      option.hidden = !words.every((word) => text.includes(word));
    }
    const none = this.element.querySelector("[data-none]");
    none.textContent = this.#options.length ? "No model of that name." : "There is no model yet.";
    none.hidden = this.#options.some((option) => !option.hidden);
    const selected = this.#shown.find((option) => option.ariaSelected === "true");
    this.#activate(selected ?? this.#shown[0] ?? null);
  }

  #press(event) {
    const now = this.#shown.indexOf(this.#active);
    const last = this.#shown.length - 1;
    const next = { ArrowDown: now < last ? now + 1 : 0, ArrowUp: now > 0 ? now - 1 : last, Home: 0, End: last }[event.key];
    if (next !== undefined) this.#activate(this.#shown[next] ?? null);
    else if (event.key === "Enter") this.#pick(this.#active);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    if (!this.isOpen) this.button.focus();
  }

  #activate(option) {
    this.#active?.classList.remove("is-active");
    this.#active = option;
    option?.classList.add("is-active");
    option?.scrollIntoView({ block: "nearest" });
    this.search.setAttribute("aria-activedescendant", option?.id ?? "");
  }

  #pick(option) {
    if (!option || option.ariaDisabled === "true") return;
    this.#take(option);
    this.close();
    this.button.focus();
  }

  #take(option) {
    if (!option) return;
    const { value, name } = option.dataset;
    this.element.dataset.value = value;
    this.element.toggleAttribute("data-sees", "sees" in option.dataset);
    this.button.querySelector("[data-picked]").textContent = name;
    this.button.setAttribute("aria-label", `${this.button.ariaLabel.split(":")[0]}: ${name}`);
    this.onPick(this);
  }
}
