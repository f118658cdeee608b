const SHOWN_MS = 6000;

/** Say what happened, to those who see and to those who listen, for some seconds. */
export function toast(text, { isBad = false } = {}) {
  const region = document.querySelector("[data-toasts]");
  const shown = Object.assign(document.createElement("p"), { className: isBad ? "toast bad" : "toast", textContent: text });
  region.append(shown);
  endLater(shown);
}

/** Let what the server said when it made the page go after the same time. */
export function endServersToasts() {
  for (const shown of document.querySelectorAll("[data-toasts] > *")) endLater(shown);
}

function endLater(shown) {
  setTimeout(() => shown.remove(), SHOWN_MS);
}
