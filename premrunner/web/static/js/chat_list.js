/** The page of all conversations. */
import { Panel } from "./lib/chat/panel.js";

new Panel(document.querySelector("[data-panel]"));
