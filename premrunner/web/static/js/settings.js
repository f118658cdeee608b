import { followLog } from "./lib/log.js";
import { localTimes } from "./lib/local_time.js";

localTimes();
followLog(document.querySelector("[data-log]"));
