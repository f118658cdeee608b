import { Announcer } from "./lib/announcer.js";
import { chooseModel, copySources, editMessage } from "./lib/chat/actions.js";
import { showBranches } from "./lib/chat/branches.js";
import { Composer } from "./lib/chat/composer.js";
import { keepDraft } from "./lib/chat/draft.js";
import { Messages } from "./lib/chat/messages.js";
import { Panel } from "./lib/chat/panel.js";
import { Picker } from "./lib/chat/picker.js";
import { ConversationSettings } from "./lib/chat/settings.js";
import { RequestFailed, post } from "./lib/request.js";
import { scrollToEnd } from "./lib/scroll.js";
import { watchSetup } from "./lib/setup.js";

const find = (name) => document.querySelector(`[data-${name}]`);
const page = find("conversation-page");
const address = () => (page.dataset.id ? `/chat/${page.dataset.id}` : "");
const announcer = new Announcer(find("announcer"));
const composer = new Composer(find("composer"), { onSend: send, onStop: stop });
const panel = new Panel(find("panel"), { openId: () => page.dataset.id, onRenamed: showTitle });
const settings = new ConversationSettings(find("settings"), find("open-settings"), address);
const messages = new Messages(find("messages"), announcer, {
  onBusy: (isBusy) => composer.setBusy(isBusy),
  onTitle: (title) => showTitle(page.dataset.id, title),
});
let picker = usePicker();
let isAsking = false;

function usePicker() {
  return new Picker(find("picker"), ({ sees }) => composer.attachments.offer(sees));
}

async function send() {
  if (composer.isEmpty || !(await composer.choose([picker]))) return;
  const question = { text: composer.text, images: composer.attachments.urls, model: picker.value };
  const isNew = !page.dataset.id;
  const said = isNew ? { ...question, settings: settings.values } : { ...question, parent: messages.lastId };
  if (await ask(isNew ? "/chat/messages" : `${address()}/messages`, said)) composer.clear();
}

/** Ask the server for an answer, and put what it shows into the page; tells whether it did. */
async function ask(url, body, from = null) {
  if (isAsking || messages.isBusy) return false;
  isAsking = true;
  try {
    const shown = await (await post(url, body)).json();
    if (!page.dataset.id) begin(shown);
    history.replaceState(null, "", shown.url); // The branch that was written to last is what this address shows.
    messages.add(shown.html, from);
    panel.putOnTop(shown.item);
    composer.showProblem("");
    return true;
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    composer.showProblem(error.message);
    return false;
  } finally {
    isAsking = false;
  }
}

/** The conversation has begun. */
function begin({ id, title }) {
  page.dataset.id = id;
  find("empty")?.remove();
  find("heading").classList.remove("for-readers");
  showTitle(id, title);
}

function stop() {
  for (const { dataset } of messages.running) post(`${address()}/answers/${dataset.message}/stop`, {}).catch(sayProblem);
}

function sayProblem(error) {
  composer.showProblem(error.message);
}

function showTitle(id, title) {
  panel.retitle(id, title);
  if (id !== page.dataset.id) return;
  find("heading").textContent = title;
  document.title = `${title} · PremRunner`;
}

const answerAgain = (answer, model) => ask(`${address()}/answers`, { question: answer.dataset.parent, model }, answer);

async function act({ target }) {
  const message = target.closest("[data-message]");
  if (target.closest("[data-again]")) answerAgain(message, message.dataset.model);
  if (target.closest("[data-continue]")) ask(`${address()}/answers/${message.dataset.message}/continue`, {}, message);
  if (target.closest("[data-edit]")) {
    editMessage(message, (text) =>
      ask(`${address()}/messages`, { text, parent: message.dataset.parent || null, model: picker.value }, message));
  }
  if (target.closest("[data-again-with]")) {
    const model = await chooseModel(find("picker").dataset.choicesUrl);
    if (model) answerAgain(message, model);
  }
}

messages.list.addEventListener("click", act);
copySources(messages.list, address);
showBranches(messages, find("earlier"));
keepDraft(composer, () => page.dataset.id);
find("first-prompts")?.addEventListener("click", ({ target }) => {
  if (!target.closest("button")) return;
  composer.text = target.textContent;
  composer.field.focus();
  send();
});
if (!location.hash) scrollToEnd();
watchSetup(["#setup", "#model"], () => {
  picker = usePicker();
  composer.showProblem("");
  find("first-prompts").hidden = false;
  announcer.sayNow("The model is ready.");
});
