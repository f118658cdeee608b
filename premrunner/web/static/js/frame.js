/** The script of pages that have none of their own. */
import { watchEngine } from "./lib/engine.js";

watchEngine();
