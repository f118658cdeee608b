import { open } from "../lib/dialog.js";
import { send } from "../lib/request.js";
import { sayNext } from "./said.js";

/** Let the dialog of the page change what the model is given. */
export function watchEditing() {
  const dialog = document.querySelector("[data-edit]");
  if (!dialog) return;
  const form = dialog.querySelector("[data-edit-form]");
  const problem = dialog.querySelector("[data-edit-problem]");
  document.addEventListener("click", ({ target }) => target.closest('[data-do="edit"]') && open(dialog));
  dialog.querySelector("[data-edit-cancel]").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    try {
      await send("PATCH", `/v1/models/${document.querySelector("[data-model]").dataset.id}`, changesOf(form, JSON.parse(dialog.dataset.parameters)));
      sayNext("Saved. The next answer is given with it.");
      location.reload();
    } catch (error) {
      problem.textContent = error.message;
    }
  });
}

/** What the form says, over the parameters that it does not show. */
function changesOf({ elements }, { num_ctx, ...parameters }) {
  const stops = elements.stop.value.split("\n").filter(Boolean);
  for (const name of ["temperature", "num_predict"]) {
    delete parameters[name];
    if (elements[name].value) parameters[name] = Number(elements[name].value);
  }
  delete parameters.stop;
  if (stops.length) parameters.stop = stops;
  const context = elements.contextLength.value;
  return {
    system: elements.system.value.trim(),
    template: elements.template.value,
    parameters,
    ...(context ? { contextLength: Number(context) } : {}),
  };
}
