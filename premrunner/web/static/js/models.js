import { copyButtons } from "./lib/copy.js";
import { watchSetup } from "./lib/setup.js";
import { Arrivals } from "./models/arrivals.js";
import { takeOver, watchLoading } from "./models/cards.js";
import { watchDropZone } from "./models/drop_zone.js";
import { follow } from "./models/feed.js";
import { watchPull } from "./models/pull.js";
import { saySaid } from "./models/said.js";

const refresh = async () => {
  await takeOver("#here");
  copyButtons();
};
const arrivals = new Arrivals(refresh);

copyButtons();
saySaid();
watchDropZone((picked) => arrivals.take(picked));
arrivals.watchInputs();
watchLoading(refresh);
watchPull(refresh);
watchSetup(["#setup"], refresh);
await arrivals.restore();
follow(Number(document.querySelector("[data-event]").dataset.event), (event) => arrivals.tell(event));
