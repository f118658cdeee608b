import { copyText } from "../copy.js";

/** Give every block of code a button that copies it, and a place in the order of Tab, so that keys can scroll it. */
export function addCopyButtons(root) {
  for (const code of root.querySelectorAll("pre:not([data-has-copy])")) {
    code.dataset.hasCopy = "";
    code.tabIndex = 0;
    code.setAttribute("role", "region");
    code.setAttribute("aria-label", `Code${code.firstElementChild?.dataset.language ? ` in ${code.firstElementChild.dataset.language}` : ""}`);
    const box = Object.assign(document.createElement("div"), { className: "code-box" });
    code.replaceWith(box);
    box.append(code, copyButton(code));
  }
}

function copyButton(code) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "small" });
  button.append(Object.assign(document.createElement("span"), { textContent: "Copy" }));
  button.addEventListener("click", () => copyText(code.textContent, button));
  return button;
}
