import { events } from "../lib/events.js";
import { leftText, sizeText } from "../lib/format.js";
import { post } from "../lib/request.js";
import { Rate } from "../upload/rate.js";

/** Let the page's form have the engine fetch models by name; `refresh` shows the new one. */
export function watchPull(refresh) {
  const form = document.querySelector("[data-pull]");
  const part = (name) => form.querySelector(`[data-pull-${name}]`);
  let stop = null;
  part("stop").addEventListener("click", () => stop?.abort());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (stop) return;
    stop = new AbortController();
    const name = form.elements.model.value.trim();
    const rate = new Rate();
    part("row").hidden = false;
    part("problem").hidden = true;
    try {
      for await (const step of events(await post("/api/pull", { model: name }, stop.signal))) show(part, step, rate);
      await refresh();
      form.reset();
    } catch (error) {
      part("problem").hidden = error.name === "AbortError";
      part("problem").textContent = error.message;
    }
    part("row").hidden = true;
    stop = null;
  });
}

function show(part, { message, percent, doneBytes, totalBytes, ready }, rate) {
  if (ready) return;
  rate.add(doneBytes);
  const pace = rate.bytesPerSecond;
  const left = pace && totalBytes > doneBytes ? leftText((totalBytes - doneBytes) / pace) : "";
  part("bar").value = percent;
  part("said").textContent = [message, totalBytes ? `${percent} % of ${sizeText(totalBytes)}` : "", pace ? `${sizeText(pace)}/s` : "", left].filter(Boolean).join(" · ");
}
