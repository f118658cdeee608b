import { copyButtons } from "./lib/copy.js";
import { followLog } from "./lib/log.js";
import { localTimes } from "./lib/local_time.js";

copyButtons();
localTimes();
followLog(document.querySelector("[data-log]"));
