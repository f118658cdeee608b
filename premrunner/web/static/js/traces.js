import { localTimes } from "./lib/local_time.js";

// A call that is still being answered is soon worth another look.
const RELOAD_MS = 1500;

localTimes();
if (document.querySelector("[data-is-running]")) setTimeout(() => location.reload(), RELOAD_MS);
