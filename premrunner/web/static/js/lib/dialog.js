let made = 0; // Dialogs so far: each needs an id of its own for its title.

/**
 * Open a `<dialog>` over the page; the browser keeps the focus inside and gives it back when the dialog closes.
 * @returns {Promise<string>} the value of the button that closed it, "" for Esc and a click beside it
 */
export function open(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

/** Whether a dialog is in front of the page. */
export const isAnyOpen = () => document.querySelector("dialog:modal") !== null;

/**
 * Make a dialog of a title, what it shows and its buttons; it is not in the page yet.
 * @param {Node[]} content
 * @param {HTMLButtonElement[]} buttons in the order of reading; each closes the dialog with its value
 */
export function build(title, content, buttons) {
  const dialog = element("dialog", { className: "dialog", id: `dialog-${++made}` });
  dialog.setAttribute("closedby", "any");
  const heading = element("h2", { textContent: title, id: `${dialog.id}-title` });
  dialog.setAttribute("aria-labelledby", heading.id);
  const form = element("form", { method: "dialog", className: "dialog-actions" });
  form.append(...buttons);
  dialog.append(heading, ...content, form);
  return dialog;
}

/** Return a button that closes its dialog with a value. */
export function closing(text, value, className = "") {
  return element("button", { textContent: text, value, className });
}

/**
 * Ask before something that cannot be undone.
 * @param {string} text what will happen
 * @param {string} verb what the button says
 * @param {{title?: string, isDangerous?: boolean}} options
 * @returns {Promise<boolean>} whether to go on
 */
export async function confirm(text, verb, { title = `${verb}?`, isDangerous = true } = {}) {
  const goOn = closing(verb, "yes", isDangerous ? "primary danger" : "primary");
  const cancel = closing("Cancel", "");
  cancel.autofocus = true;
  const dialog = build(title, [element("p", { textContent: text })], [cancel, goOn]);
  document.body.append(dialog);
  const isWanted = (await open(dialog)) === "yes";
  dialog.remove();
  return isWanted;
}

/** Ask before a form is sent that has `data-confirm` (what will happen) and `data-verb`. */
export function confirmForms() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.confirm || event.defaultPrevented) return;
    event.preventDefault();
    const { confirm: text, verb } = form.dataset;
    if (!(await confirm(text, verb))) return;
    delete form.dataset.confirm;
    form.requestSubmit(event.submitter);
  });
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}
