import { confirm } from "../dialog.js";
import { RequestFailed, get, send } from "../request.js";
import { register } from "../shortcuts.js";
import { toast } from "../toast.js";
import { renameInPlace } from "./renaming.js";

const TYPING_MS = 250;

/** The list of conversations: searched while one writes, longer on demand, each renamed, exported or deleted. */
export class Panel {
  #timer = 0;

  constructor(element, { openId = () => "", onRenamed = () => {} } = {}) {
    this.element = element;
    this.openId = openId;
    this.onRenamed = onRenamed;
    this.form = element.querySelector("[data-panel-search]");
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#search(), TYPING_MS);
    });
    element.addEventListener("toggle", ({ target }) => target.matches("[data-menu]") && target.open && this.#fill(target), true);
    element.addEventListener("click", (event) => this.#click(event));
    register("Mod+k", "Search conversations", () => this.#focusSearch(), "Chat");
    register("n", "New chat", () => element.querySelector("[data-new]").click(), "Chat");
  }

  /** Put the open conversation on top. */
  putOnTop(html) {
    const list = this.element.querySelector(".conversations");
    const item = document.createRange().createContextualFragment(html).firstElementChild;
    this.#item(item.dataset.conversation)?.remove();
    list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    item.querySelector("a").setAttribute("aria-current", "page");
    list.prepend(item);
    if (list.nextElementSibling?.matches("p")) list.nextElementSibling.remove();
  }

  /** Show a title that has changed. */
  retitle(id, title) {
    const item = this.#item(id);
    if (!item) return;
    item.querySelector("[data-title]").textContent = title;
    item.querySelector("a").title = title;
    item.querySelector("summary").setAttribute("aria-label", `Actions for ${title}`);
  }

  #item(id) {
    return this.element.querySelector(`[data-conversation="${id}"]`);
  }

  #focusSearch() {
    if (getComputedStyle(this.element).position === "fixed") this.element.showPopover();
    this.form.q.focus();
  }

  async #search() {
    const words = this.form.q.value.trim();
    const fresh = await this.#read(`${this.form.action}?q=${encodeURIComponent(words)}`);
    // A slower answer to fewer letters shall not overwrite this one.
    if (fresh && words === this.form.q.value.trim()) this.element.querySelector("[data-list]").replaceWith(fresh);
  }

  async #more(link) {
    const fresh = await this.#read(link.href);
    if (!fresh) return;
    this.element.querySelector(".conversations").append(...fresh.querySelector(".conversations").children);
    const next = fresh.querySelector("[data-more]");
    next ? link.replaceWith(next) : link.remove();
  }

  async #read(url) {
    try {
      const text = await (await get(url)).text();
      const list = document.adoptNode(new DOMParser().parseFromString(text, "text/html").querySelector("[data-list]"));
      const open = list.querySelector(`[data-conversation="${this.openId()}"] a`);
      open?.setAttribute("aria-current", "page");
      return list;
    } catch (error) {
      this.#complain(error);
    }
  }

  #fill(menu) {
    if (menu.querySelector("ul")) return;
    menu.append(this.element.querySelector("[data-actions-template]").content.cloneNode(true));
    const address = this.#addressOf(menu);
    for (const link of menu.querySelectorAll("[data-export]")) link.href = `${address}/export.${link.dataset.export}`;
  }

  #addressOf(inside) {
    return inside.closest("[data-conversation]").querySelector("a").getAttribute("href");
  }

  #click(event) {
    const target = event.target.closest("button, a");
    if (target?.matches("[data-more]")) {
      event.preventDefault();
      this.#more(target);
    }
    if (target?.matches("[data-rename]")) this.#rename(target.closest("[data-conversation]"));
    if (target?.matches("[data-delete]")) this.#delete(target.closest("[data-conversation]"));
    target?.closest("[data-menu]")?.removeAttribute("open");
  }

  #rename(item) {
    const link = item.querySelector("a");
    renameInPlace(link, item.querySelector("[data-title]").textContent, async (title) => {
      try {
        const renamed = await (await send("PATCH", link.getAttribute("href"), { title })).json();
        this.retitle(item.dataset.conversation, renamed.title);
        this.onRenamed(item.dataset.conversation, renamed.title);
      } catch (error) {
        this.#complain(error);
      }
    });
  }

  async #delete(item) {
    const title = item.querySelector("[data-title]").textContent;
    if (!(await confirm(`“${title}” and all its messages will be gone. Its calls stay among the traces.`, "Delete"))) return;
    try {
      await send("DELETE", this.#addressOf(item.firstElementChild));
    } catch (error) {
      return this.#complain(error);
    }
    if (item.dataset.conversation === this.openId()) return location.assign(this.element.querySelector("[data-new]").href);
    const neighbour = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    (neighbour?.querySelector("a") ?? this.form.q).focus();
    toast(`“${title}” was deleted.`);
  }

  #complain(error) {
    if (!(error instanceof RequestFailed)) throw error;
    toast(error.message, { isBad: true });
  }
}
