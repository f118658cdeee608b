import { takeOver, watchLoading } from "./models/cards.js";
import { watchDropZone } from "./models/drop_zone.js";
import { follow } from "./models/feed.js";
import { saySaid } from "./models/said.js";

const FIRST_EVERY_MS = 1500;

const lastEvent = Number(document.querySelector("[data-event]").dataset.event);
let opened = null;

/** What is on its way needs scripts that are not fetched before something is. */
const arrivals = () => (opened ??= import("./models/arrivals.js").then(({ Arrivals }) => new Arrivals(refresh)));

async function refresh() {
  await takeOver("#here");
}

/** While the engine starts or the first model is fetched, the page tells how far that is. */
function watchFirst() {
  if (!document.querySelector("#setup > *")) return;
  setTimeout(async () => {
    if (!document.hidden) await refresh();
    watchFirst();
  }, FIRST_EVERY_MS);
}
saySaid();
watchDropZone(async (picked) => (await arrivals()).take(picked));
watchLoading(refresh);
watchFirst();
if (document.querySelector("[data-pull]")) (await import("./models/pull.js")).watchPull(refresh);
// Engines take models out of memory by themselves, after a while.
new MutationObserver(refresh).observe(document.querySelector("[data-engine-loaded]"), { childList: true, characterData: true, subtree: true });
if (document.querySelector("[data-arrivals] > *")) await (await arrivals()).restore();
follow(lastEvent, async (event) => (await arrivals()).tell(event), async () => opened && (await opened).comeBack());
