import { Announcer } from "./lib/announcer.js";
import { copySources } from "./lib/chat/actions.js";
import { Composer } from "./lib/chat/composer.js";
import { Messages } from "./lib/chat/messages.js";
import { Panel } from "./lib/chat/panel.js";
import { Picker } from "./lib/chat/picker.js";
import { ConversationSettings } from "./lib/chat/settings.js";
import { RequestFailed, post } from "./lib/request.js";

const find = (name) => document.querySelector(`[data-${name}]`);
const address = () => location.pathname.replace("/compare", "");
const asked = find("asked");
const composer = new Composer(find("composer"), { onSend: send, onStop: stop });
const panel = new Panel(find("panel"));
const settings = new ConversationSettings(find("settings"), find("open-settings"), () => "");
const pickers = [...document.querySelectorAll("[data-picker]")].map((each) => new Picker(each, offerPictures));
const messages = new Messages(find("messages"), new Announcer(find("announcer")), {
  onBusy: (isBusy) => composer.setBusy(isBusy),
  onTitle: (title) => panel.retitle(address().split("/").pop(), title),
});
let isAsking = false;

async function send() {
  if (isAsking || messages.isBusy || composer.isEmpty) return;
  isAsking = true;
  try {
    if (await composer.choose(pickers)) await ask();
  } finally {
    isAsking = false;
  }
}

/** Ask both models, each question in a conversation of its own. */
async function ask() {
  const models = pickers.map(({ value }) => value);
  const question = { text: composer.text, images: composer.attachments.urls, models, settings: settings.values };
  try {
    const shown = await (await post("/chat/messages", question)).json();
    history.replaceState(null, "", `${shown.url}/compare`);
    find("empty")?.remove();
    const [first, ...answers] = document.createRange().createContextualFragment(shown.html).children;
    asked.replaceChildren(first);
    messages.replace(answers);
    panel.putOnTop(shown.item);
    composer.clear();
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    composer.showProblem(error.message);
  }
}

function stop() {
  for (const { dataset } of messages.running) {
    post(`${address()}/answers/${dataset.message}/stop`, {}).catch((error) => composer.showProblem(error.message));
  }
}

function offerPictures() {
  composer.attachments.offer([...document.querySelectorAll("[data-picker]")].every(({ dataset }) => "sees" in dataset));
}

for (const list of [asked, messages.list]) copySources(list, address);
