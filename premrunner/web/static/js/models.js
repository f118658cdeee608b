import { copyButtons } from "./lib/copy.js";
import { watchEngine } from "./lib/engine.js";
import { watchSetup } from "./lib/setup.js";

watchEngine();
copyButtons();
watchSetup(["#setup"], () => location.reload());
