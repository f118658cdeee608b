import { post } from "../lib/request.js";
import { toast } from "../lib/toast.js";

/** Let the buttons of models load and unload them; `refresh` shows what has come of it. */
export function watchLoading(refresh) {
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("button[data-load]");
    if (!button || button.disabled) return;
    const { load: verb, model } = button.dataset;
    const text = button.textContent;
    button.disabled = true;
    button.textContent = verb === "up" ? "Loading…" : "Unloading…";
    try {
      await post(`/v1/models/${verb}`, { model });
      toast(verb === "up" ? `${model} is in memory.` : `${model} is out of memory.`);
      await refresh();
    } catch (error) {
      toast(error.message, { isBad: true });
      Object.assign(button, { textContent: text });
    }
    button.disabled = false;
  });
}

/** Read the page again and take over the part that is named; what has the focus keeps it. */
export async function takeOver(selector) {
  const fresh = await freshPage();
  const next = fresh?.querySelector(selector);
  if (!next) return;
  const now = document.querySelector(selector);
  const focused = now.contains(document.activeElement) ? document.activeElement.dataset.focus : "";
  now.replaceWith(document.adoptNode(next));
  if (focused) document.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}

async function freshPage() {
  try {
    const response = await fetch(location.href);
    if (response.ok && !response.redirected) return new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    // The server is away for a moment; the header says so.
  }
  return null;
}
