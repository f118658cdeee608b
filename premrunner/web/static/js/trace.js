import { localTimes } from "./lib/local_time.js";
import { register } from "./lib/shortcuts.js";
import { showTabs } from "./lib/tabs.js";

// A call that is still being answered is soon worth another look.
const RELOAD_MS = 1500;

const press = (selector) => () => document.querySelector(selector)?.click();

showTabs();
localTimes();
register("u", "Good answer", press("[data-rate=good]"));
register("d", "Bad answer", press("[data-rate=bad]"));
register("e", "Correct the answer", () => {
  const box = document.querySelector(".correct");
  if (!box) return;
  box.open = true;
  document.getElementById("correction").focus();
});

document.querySelector("[data-replay]")?.addEventListener("submit", ({ target }) => {
  target.querySelector("button").disabled = true;
  target.querySelector("[data-waiting]").hidden = false;
});

if (document.querySelector("[data-is-running]")) setTimeout(() => location.reload(), RELOAD_MS);
