import { copyButtons } from "./lib/copy.js";
import { localTimes } from "./lib/local_time.js";

copyButtons();
localTimes();
