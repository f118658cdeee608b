import { localTimes } from "./local_time.js";

const EVERY_MS = 2000;
// The list of a busy server is not to grow for ever.
const MOST_ROWS = 200;

/** Let new calls appear on top of the first page, and running ones become what they end as. */
export function watchNews() {
  const list = document.querySelector("[data-news]");
  if (list) setTimeout(() => look(list), EVERY_MS);
}

async function look(list) {
  if (!document.hidden) await ask(list).catch(() => {}); // A server that restarts is asked again.
  setTimeout(() => look(list), EVERY_MS);
}

async function ask(list) {
  const address = new URL(list.dataset.news, location.href);
  address.searchParams.set("newest", list.dataset.newest);
  const running = [...list.querySelectorAll("[data-is-running]")].map((row) => row.dataset.id);
  if (running.length) address.searchParams.set("running", running.join());
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  if (!response.ok || response.redirected) return;
  show(list, await response.json());
}

function show(list, news) {
  const body = list.tBodies[0];
  for (const [id, row] of Object.entries(news.changed)) body.querySelector(`[data-id="${CSS.escape(id)}"]`)?.replaceWith(rowsOf(row));
  if (news.rows) {
    const rows = rowsOf(news.rows);
    const count = rows.children.length;
    body.prepend(rows);
    list.dataset.newest = news.newest;
    document.querySelector("[data-said]").textContent = count === 1 ? "1 new call" : `${count} new calls`;
    while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
  }
  if (!news.figures) return;
  document.querySelector("[data-total]").textContent = `${news.total}, newest first`;
  const figures = document.querySelector("[data-figures]");
  const isOpen = figures.querySelector("details")?.open;
  figures.innerHTML = news.figures;
  if (isOpen) figures.querySelector("details").open = true;
  localTimes();
}

function rowsOf(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}
