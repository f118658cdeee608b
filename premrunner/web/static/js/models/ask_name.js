import { build, closing, open } from "../lib/dialog.js";

/** Ask for a model's name in a dialog, and return it; "" when nothing is to be done. */
export async function askName(title, text, value) {
  const label = Object.assign(document.createElement("label"), { className: "field" });
  const input = Object.assign(document.createElement("input"), { value, maxLength: 200, required: true });
  label.append(Object.assign(document.createElement("span"), { className: "label", textContent: "Name" }), input);
  const explanation = Object.assign(document.createElement("p"), { className: "soft", textContent: text });
  const dialog = build(title, [explanation, label], [closing("Cancel", ""), closing(title, "yes", "primary")]);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") dialog.close("yes");
  });
  document.body.append(dialog);
  const answer = open(dialog);
  input.select();
  const isWanted = (await answer) === "yes";
  dialog.remove();
  return isWanted ? input.value.trim() : "";
}
