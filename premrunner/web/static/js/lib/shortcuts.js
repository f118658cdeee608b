import { build, closing, isAnyOpen, open } from "./dialog.js";

// Longer than a calm second key takes, shorter than a forgotten first one is remembered.
const SEQUENCE_MS = 1200;
const KEY_NAMES = { Escape: "Esc", Mod: /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl" };

export const EVERYWHERE = "Everywhere";

const registered = [];
let first = ""; // Of a sequence: what was pressed a moment ago.
let timer = 0;

/**
 * Let keys do something on this page. Letters do nothing while somebody writes, nor while a dialog is open.
 * @param {string} keys "x", "?", "Escape", one after the other "g c", or with Ctrl or Command "Mod+k"
 * @param {string} description for the help sheet
 * @param {(event: KeyboardEvent) => void} action
 * @param {string} group its heading in the help sheet
 */
export function register(keys, description, action, group = "On this page") {
  registered.push({ keys, description, action, group });
}

/** Begin to listen; the reader can switch single keys off in the settings, since speech input may press them. */
export function watchShortcuts() {
  document.addEventListener("keydown", (event) => {
    // Browsers fill in forms with key events that have no key.
    if (!event.key || event.defaultPrevented || event.isComposing || event.altKey || isAnyOpen()) return;
    const pressed = nameOf(event);
    const isPlain = pressed.length === 1;
    if (isPlain && (isWriting(event.target) || document.documentElement.dataset.shortcuts === "off")) return;
    const sequence = first ? `${first} ${pressed}` : pressed;
    const found = registered.find(({ keys }) => keys === sequence) ?? registered.find(({ keys }) => keys === pressed);
    remember(!found && isPlain && registered.some(({ keys }) => keys.startsWith(`${pressed} `)) ? pressed : "");
    if (!found) return;
    if (pressed !== "Escape") event.preventDefault();
    found.action(event);
  });
}

/** Show what is registered. */
export async function showShortcuts() {
  if (isAnyOpen()) return;
  const groups = Map.groupBy(registered, ({ group }) => group);
  const sheet = element("div", "shortcuts", [...groups].map(([name, shortcuts]) => groupOf(name, shortcuts)));
  const dialog = build("Keyboard shortcuts", [sheet], [closing("Close", "")]);
  dialog.classList.toggle("wide", groups.size > 1);
  document.body.append(dialog);
  await open(dialog);
  dialog.remove();
}

function groupOf(name, shortcuts) {
  const rows = shortcuts.map(({ keys, description }) => {
    const parts = keys.split(/[ +]/).map((key) => element("kbd", "", [KEY_NAMES[key] ?? key]));
    return element("div", "", [element("dt", "", [description]), element("dd", "", parts)]);
  });
  return element("section", "", [element("h3", "", [name]), element("dl", "", rows)]);
}

function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return event.ctrlKey || event.metaKey ? `Mod+${key}` : key;
}

function isWriting(target) {
  return target.closest("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]");
}

function remember(key) {
  first = key;
  clearTimeout(timer);
  timer = setTimeout(() => (first = ""), SEQUENCE_MS);
}

function element(name, className, children) {
  const made = Object.assign(document.createElement(name), { className });
  made.append(...children);
  return made;
}
