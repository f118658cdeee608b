/**
 * Let a title be written anew where it stands: Enter or a click elsewhere keeps it, Esc gives it up.
 * @param {HTMLElement} shown what shows the title, and comes back afterwards
 * @param {(title: string) => void} onTitle called when it is another one
 */
export function renameInPlace(shown, title, onTitle) {
  const field = Object.assign(document.createElement("input"), { value: title, maxLength: 80, className: "rename" });
  field.setAttribute("aria-label", "Title");
  let isOver = false;
  const end = (isKept) => {
    if (isOver) return;
    isOver = true;
    const written = field.value.trim();
    const hadFocus = field === document.activeElement;
    field.replaceWith(shown);
    if (hadFocus) shown.focus();
    if (isKept && written && written !== title) onTitle(written);
  };
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    end(event.key === "Enter");
  });
  field.addEventListener("blur", () => end(true));
  shown.replaceWith(field);
  field.select();
}
