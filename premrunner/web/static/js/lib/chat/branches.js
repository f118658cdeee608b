import { get } from "../request.js";

/** Show another version, or earlier messages, without leaving the page; the links work without this, too. */
export function showBranches(messages, earlier) {
  messages.list.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-version]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const top = link.closest("[data-message]").getBoundingClientRect().top;
    const fresh = await read(link.href);
    messages.replace(fresh.querySelector("[data-messages]").children);
    history.replaceState(null, "", link.href.split("#")[0]);
    const shown = messages.list.querySelector(`[data-message="${link.dataset.version}"]`);
    // The version that was asked for stands where the other one stood.
    document.scrollingElement.scrollTop += shown.getBoundingClientRect().top - top;
    (shown.querySelector(`.versions [aria-label="${link.ariaLabel}"][href]`) ?? shown.querySelector(".versions [href]")).focus();
  });
  earlier?.addEventListener("click", async (event) => {
    event.preventDefault();
    const fresh = await read(earlier.href);
    messages.prepend(fresh.querySelector("[data-messages]").children);
    const next = fresh.querySelector("[data-earlier]");
    if (next) earlier.href = next.getAttribute("href");
    else earlier.parentElement.remove();
  });
}

async function read(url) {
  return new DOMParser().parseFromString(await (await get(url)).text(), "text/html");
}
