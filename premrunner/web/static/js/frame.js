/** What every page does: the engine's chip, menus, questions before forms, keys. Pages with more bring a script too. */
import { watchCopyButtons } from "./lib/copy.js";
import { confirmForms } from "./lib/dialog.js";
import { watchEngine } from "./lib/engine.js";
import { watchMenus } from "./lib/menus.js";
import { endServersToasts } from "./lib/toast.js";
import { EVERYWHERE, register, showShortcuts, watchShortcuts } from "./lib/shortcuts.js";

const findSearch = () => document.querySelector("[data-search]");

for (const link of document.querySelectorAll("[data-keys]")) {
  register(link.dataset.keys, `Go to ${link.textContent.trim()}`, () => link.click(), EVERYWHERE);
}
if (findSearch()) register("/", "Search", () => findSearch().focus(), EVERYWHERE);
register("?", "Show these shortcuts", showShortcuts, EVERYWHERE);

document.querySelector("[data-shortcuts-help]").addEventListener("click", showShortcuts);
watchEngine();
watchMenus();
watchCopyButtons();
endServersToasts();
confirmForms();
watchShortcuts();
