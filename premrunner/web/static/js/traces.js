import { watchEngine } from "./lib/engine.js";
import { localTimes } from "./lib/local_time.js";

watchEngine();
localTimes();
