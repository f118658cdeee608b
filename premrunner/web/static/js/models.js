import { copyButtons } from "./lib/copy.js";
import { watchSetup } from "./lib/setup.js";

copyButtons();
watchSetup(["#setup"], () => location.reload());
