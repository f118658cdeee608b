import { filesOf, filesOfInput } from "../upload/picked.js";

const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files");

/**
 * Take files that are dropped anywhere on the page, pasted, or chosen with the zone's buttons.
 * @param {(picked: {path: string, file: File}[]) => void} take
 */
export function watchDropZone(take) {
  const zone = document.querySelector("[data-drop]");
  let depth = 0; // Entering a child comes before leaving its parent.
  const mark = (isOver) => zone.classList.toggle("is-over", isOver);
  document.addEventListener("dragenter", (event) => hasFiles(event) && mark((depth += 1) > 0));
  document.addEventListener("dragleave", (event) => hasFiles(event) && mark((depth -= 1) > 0));
  document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  document.addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(false);
    depth = 0;
    take(await filesOf(event.dataTransfer));
  });
  document.addEventListener("paste", async ({ clipboardData }) => {
    if (clipboardData.types.includes("Files")) take(await filesOf(clipboardData));
  });
  for (const button of zone.querySelectorAll("[data-opens]")) {
    const input = document.querySelector(button.dataset.opens);
    button.addEventListener("click", () => input.click());
  }
  for (const input of zone.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      const picked = filesOfInput(input);
      input.value = ""; // So that the same file can be chosen again.
      take(picked);
    });
  }
  zone.addEventListener("click", ({ target }) => {
    if (!target.closest("button, a, summary, details")) document.querySelector("[data-file-input]").click();
  });
}
