import { build, closing, open } from "../dialog.js";
import { copyText } from "../copy.js";
import { get } from "../request.js";

/** Let the source of a message, as its author wrote it, be copied from the list. */
export function copySources(list, address) {
  list.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy-source]");
    if (!button) return;
    const { message } = button.closest("[data-message]").dataset;
    copyText(await (await get(`${address()}/messages/${message}`)).text(), button);
    button.classList.add("is-done");
    setTimeout(() => button.classList.remove("is-done"), 1500);
  });
}

/** Ask which model shall answer; empty when none shall. */
export async function chooseModel(choicesUrl) {
  const choices = document.createElement("ul");
  choices.innerHTML = await (await get(choicesUrl)).text();
  const dialog = build("Answer again with", [], []);
  const buttons = [...choices.children]
    .filter((choice) => choice.ariaDisabled !== "true")
    .map((choice) => {
      const button = closing("", choice.dataset.value, "quiet choice");
      button.dataset.state = choice.dataset.state;
      button.append(...choice.childNodes);
      return button;
    });
  dialog.querySelector("form").replaceChildren(...buttons, closing("Cancel", ""));
  dialog.querySelector("form").classList.add("stacked");
  document.body.append(dialog);
  const model = await open(dialog);
  dialog.remove();
  return model;
}

/** Let a question be written anew in its place; Enter sends it as another version, Esc gives it up. */
export function editMessage(message, onText) {
  const shown = message.querySelector("[data-text]");
  const foot = message.querySelector(".foot");
  if (!shown || message.querySelector("form")) return;
  const form = document.createElement("form");
  form.className = "edit";
  const field = Object.assign(document.createElement("textarea"), { value: shown.textContent, rows: 2 });
  field.setAttribute("aria-label", "Your message");
  const send = Object.assign(document.createElement("button"), { className: "primary small", textContent: "Send again" });
  const cancel = Object.assign(document.createElement("button"), { type: "button", className: "small", textContent: "Cancel" });
  const buttons = Object.assign(document.createElement("div"), { className: "actions" });
  buttons.append(cancel, send);
  form.append(field, buttons);
  const end = () => {
    form.replaceWith(shown);
    foot.hidden = false;
    message.querySelector("[data-edit]").focus();
  };
  cancel.addEventListener("click", end);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      end();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (field.value.trim() && (await onText(field.value.trim()))) return;
    field.focus();
  });
  shown.replaceWith(form);
  foot.hidden = true;
  field.focus();
}
