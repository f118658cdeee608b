import { copyButtons } from "./lib/copy.js";
import { watchEngine } from "./lib/engine.js";
import { localTimes } from "./lib/local_time.js";

watchEngine();
copyButtons();
localTimes();
