const EVERY_MS = 2000;
const LINES_MOST = 500;

/** While a `<details>` with a log is open, fetch the lines that are new; a reader at its end stays there. */
export function followLog(details) {
  const box = details.querySelector("pre");
  const shown = details.querySelector("[data-log-lines]");
  let position = Number(details.dataset.position);
  let lines = position ? shown.textContent.split("\n") : [];

  async function ask() {
    const response = await fetch(`${details.dataset.url}${position ? `?after=${position}` : ""}`);
    if (!response.ok) return;
    const part = await response.json();
    position = part.position;
    if (!part.lines.length) return;
    lines = (part.isNew ? part.lines : [...lines, ...part.lines]).slice(-LINES_MOST);
    const wasAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    shown.textContent = lines.join("\n");
    if (wasAtEnd) toEnd();
  }

  function toEnd() {
    box.scrollTop = box.scrollHeight;
  }

  async function follow() {
    while (details.open) {
      // The server may be away for a moment; the header says so.
      if (!document.hidden) await ask().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  details.addEventListener("toggle", () => {
    if (!details.open) return;
    toEnd();
    follow();
  });
}
