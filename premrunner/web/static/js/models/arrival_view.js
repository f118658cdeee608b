const STAGES = ["upload", "check", "unpack", "identify", "base", "convert", "create", "prove"];
// What no step is needed for.
const SKIPPED = { gguf: ["base", "convert"], model: ["base"], adapter: [] };

/** One model on its way, as the page shows it: what it is, how far it is, and what can be done. */
export class ArrivalView {
  /** @param {HTMLElement} element made from the page's template */
  constructor(element) {
    this.element = element;
    this.form = this.#part("form");
  }

  /** Call back with the action of each button that is pressed. */
  onAction(act) {
    this.element.addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-action]");
      if (!button) return;
      if (["import", "again"].includes(button.dataset.action)) this.form.requestSubmit();
      else act(button.dataset.action);
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      act(this.form.dataset.action);
    });
  }

  set name(text) {
    setText(this.#part("name"), text);
    this.#part("bar").setAttribute("aria-label", `How far ${text} is`);
  }

  /** @param {string} tone good, bad, warn or nothing */
  tag(text, tone = "") {
    const tag = this.#part("tag");
    setText(tag, text);
    tag.className = `tag ${tone}`;
  }

  what(text) {
    setText(this.#part("what"), text);
  }

  /** @param {[string, string, string?][]} figures label, value, tone */
  figures(figures) {
    const rows = figures.filter(([, value]) => value).map(([label, value, tone = ""]) => {
      const row = document.createElement("div");
      row.append(element("dt", label), Object.assign(element("dd", value), { className: tone }));
      return row;
    });
    this.#part("figures").replaceChildren(...rows);
    this.#part("figures").hidden = !rows.length;
  }

  notes(texts) {
    this.#part("notes").replaceChildren(...texts.map((text) => element("li", text)));
    this.#part("notes").hidden = !texts.length;
  }

  /** @param {{message: string, hint?: string} | null} problem */
  problem(problem) {
    this.#part("problem-row").hidden = !problem;
    setText(this.#part("problem"), problem?.message ?? "");
    setText(this.#part("hint"), problem?.hint ?? "");
  }

  /** Show how far it is; null shows no bar, and no percent one that only moves. */
  progress(text, percent) {
    this.#part("progress").hidden = text === null;
    if (text === null) return;
    const bar = this.#part("bar");
    if (percent === undefined) bar.removeAttribute("value");
    else bar.value = percent;
    setText(this.#part("said"), text);
  }

  /** Show which step it is at; "" shows none. */
  stage(current, kind, hasFailed = false) {
    const list = this.#part("stages");
    list.hidden = !current;
    const at = STAGES.indexOf(current);
    for (const item of list.children) {
      const place = STAGES.indexOf(item.dataset.stage);
      item.hidden = (SKIPPED[kind] ?? []).includes(item.dataset.stage);
      item.className = place < at ? "is-done" : place > at ? "" : hasFailed ? "is-bad" : "is-now";
      if (place === at) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    }
  }

  /** Show how the model answered when it was new. */
  proof(proof) {
    this.#part("proof").hidden = !proof;
    if (!proof) return;
    const speed = proof.tokensPerSecond ? ` at ${proof.tokensPerSecond.toFixed(0)} tokens per second` : "";
    setText(this.#part("question"), proof.dimensions ? `It turns texts into ${proof.dimensions} numbers.` : `Asked “${proof.question}”, it answers${speed}:`);
    setText(this.#part("answer"), proof.answer || proof.thinking || "");
    this.#part("base-row").hidden = !proof.baseAnswer;
    setText(this.#part("base-answer"), proof.baseAnswer ?? "");
  }

  /** Show these buttons and no others. */
  actions(...names) {
    const focused = this.element.contains(document.activeElement);
    for (const button of this.element.querySelectorAll("[data-action]")) {
      if (button !== this.form) button.hidden = !names.includes(button.dataset.action);
    }
    const isLost = focused && !this.element.contains(document.activeElement?.closest(":not([hidden])"));
    if (isLost || (focused && document.activeElement.hidden)) this.element.focus();
  }

  /** Lead to the finished model. */
  links(alias) {
    this.#part("chat").href = `/?model=${encodeURIComponent(alias)}`;
    this.#part("open").href = `/models/${alias.split("/").map(encodeURIComponent).join("/")}`;
    for (const name of ["chat", "open"]) this.#part(name).hidden = !alias;
  }

  #part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }
}

/** A screen reader speaks what is set again, so only a change is set. */
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function element(name, text) {
  return Object.assign(document.createElement(name), { textContent: text });
}
