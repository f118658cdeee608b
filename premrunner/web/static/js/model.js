import { confirm } from "./lib/dialog.js";
import { sizeText } from "./lib/format.js";
import { localTimes } from "./lib/local_time.js";
import { post, send } from "./lib/request.js";
import { toast } from "./lib/toast.js";
import { askName } from "./models/ask_name.js";
import { takeOver, watchLoading } from "./models/cards.js";
import { watchEditing } from "./models/editing.js";
import { sayNext, saySaid } from "./models/said.js";

const shown = () => document.querySelector("[data-model]").dataset;
const addressOf = (alias) => `/models/${alias.split("/").map(encodeURIComponent).join("/")}`;

async function refresh() {
  await takeOver("#model");
  localTimes();
}

const actions = {
  async rename() {
    const name = await askName("Rename", "Its API name stays, so that programs go on working.", shown().name);
    if (!name) return;
    await send("PATCH", `/v1/models/${shown().id}`, { name });
    await refresh();
    document.title = `${name} · PremRunner`;
  },

  async copy() {
    const name = await askName("Make a copy", "It shares the weights, so it takes no more space, and has settings of its own.", `${shown().name} 2`);
    if (!name) return;
    const made = await (await post(`/v1/models/${shown().id}/copy`, { name })).json();
    location.assign(addressOf(made.alias));
  },

  async remove() {
    const { name, alias, id, size } = shown();
    const text = id
      ? `It is deleted from the disk, which gives back up to ${size}. Its calls stay in the traces.`
      : `PremRunner did not bring it: it is deleted from the engine for every program, which gives back up to ${size}.`;
    if (!(await confirm(text, "Delete", { title: `Delete ${name}?` }))) return;
    const { freedBytes } = await (await send("DELETE", `/v1/models/${encodeURIComponent(alias)}${id ? "" : "?foreign=true"}`)).json();
    sayNext(`${name} is deleted; ${sizeText(freedBytes)} are free again.`);
    location.assign("/models");
  },
};

document.addEventListener("click", async ({ target }) => {
  const action = actions[target.closest("[data-do]")?.dataset.do];
  if (!action) return;
  target.closest("details")?.removeAttribute("open");
  try {
    await action();
  } catch (error) {
    toast(error.message, { isBad: true });
  }
});

localTimes();
watchLoading(refresh);
watchEditing();
saySaid();
