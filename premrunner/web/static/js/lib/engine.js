const CALM_MS = 5000;
const WAITING_MS = 1500;

const chip = document.querySelector("[data-engine]");
const names = { builtin: "built-in (llama.cpp)", ollama: "Ollama" };
let status = { state: chip?.dataset.state, loadedModels: JSON.parse(chip?.dataset.loaded ?? "[]") };

/** Whether the engine had a model in its memory when it was last asked. */
export function isLoaded(model) {
  return status.loadedModels.some(({ name }) => withoutTag(name) === withoutTag(model));
}

const withoutTag = (name) => name.replace(/:latest$/, "");

/** Keep the header's engine chip true; asks more often while the engine is not ready, and not at all unseen. */
export function watchEngine() {
  if (!chip) return;
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  later();
}

function later() {
  setTimeout(async () => {
    if (!document.hidden) await ask();
    later();
  }, status.state === "running" ? CALM_MS : WAITING_MS);
}

async function ask() {
  try {
    const response = await fetch(chip.dataset.statusUrl, { headers: { Accept: "application/json" } });
    if (response.ok) show(await response.json());
  } catch {
    show({ state: "unreachable", why: "PremRunner itself does not answer.", loadedModels: [] });
  }
}

function show(next) {
  status = next;
  chip.dataset.state = next.state;
  const label = chip.querySelector("[data-engine-label]");
  setText(label, JSON.parse(label.dataset.labels)[next.state] ?? "Unreachable");
  if (next.engine) setText(chip.querySelector("[data-engine-name]"), `${names[next.engine]} ${next.version ?? ""}`);
  const loaded = next.loadedModels.map((model) => model.name).join(", ");
  setText(chip.querySelector("[data-engine-loaded]"), loaded || "no model");
  setText(chip.querySelector("[data-engine-why]"), next.why ?? "");
  chip.querySelector("[data-engine-why-row]").hidden = !next.why;
}

/** A screen reader speaks what is set again, so only a change is set. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
