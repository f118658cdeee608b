const SHOWN_MS = 1500;

/** Put text on the clipboard, and say so on the button for a moment. */
export async function copyText(text, button) {
  const label = button.querySelector("span");
  label.textContent = (await write(text)) ? "Copied" : "Not allowed";
  setTimeout(() => (label.textContent = "Copy"), SHOWN_MS);
}

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeFromSelection(text);
  }
}

/** Browsers give the clipboard to secure addresses alone, and http in a home network is none. */
function writeFromSelection(text) {
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "for-readers" });
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return isCopied;
}

/** Let every button with data-copy, whenever it comes, copy the element of that id. */
export function watchCopyButtons() {
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-copy]");
    if (button) copyText(document.getElementById(button.dataset.copy).textContent, button);
  });
}
