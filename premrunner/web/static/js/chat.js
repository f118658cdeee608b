import { Announcer } from "./lib/announcer.js";
import { Composer } from "./lib/composer.js";
import { Conversation } from "./lib/conversation.js";
import { isLoaded } from "./lib/engine.js";
import { events } from "./lib/events.js";
import { AnswerView, userMessage } from "./lib/message_view.js";
import { RequestFailed, post } from "./lib/request.js";
import { isAtEnd, scrollToEnd } from "./lib/scroll.js";
import { watchSetup } from "./lib/setup.js";

const find = (name) => document.querySelector(`[data-${name}]`);
const conversation = Conversation.restore();
const announcer = new Announcer(find("announcer"));
const composer = new Composer(find("composer"), { onSend: send, onStop: stop });
const list = find("messages");
let isLeaving = false; // The browser cuts the answer before it hides the page: that is no fault.
let running = null; // The answer that is being written: its view, and the switch that stops it.

function send() {
  const model = find("model").value;
  if (running || !composer.text || !model) return;
  conversation.messages.push({ role: "user", text: composer.text });
  list.append(userMessage(composer.text));
  composer.text = "";
  ask(model);
}

/** Ask for the answer to what is there, and show it as it comes. */
async function ask(model) {
  const wire = conversation.wire;
  const answer = { role: "assistant", text: "", thinking: "", html: "", model: nameOf(model), ending: "stopped" };
  conversation.messages.push(answer);
  const view = show(answer);
  view.wait(isLoaded(model) ? "" : "Bringing the model into memory…");
  const { signal } = (running = Object.assign(new AbortController(), { view }));
  setBusy(true);
  scrollToEnd();
  try {
    await follow(await post(composer.form.action, { model, messages: wire }, signal), view);
    answer.ending = "done";
  } catch (error) {
    answer.ending = error.name === "AbortError" || isLeaving ? "stopped" : error.message;
  }
  running = null;
  view.keep();
  setBusy(false);
  keepingEnd(() => view.finish());
  announcer.sayNow(answer.ending === "done" ? `${view.openText} End of the answer.` : endingSaid(answer.ending));
  conversation.save();
}

async function follow(response, view) {
  for await (const event of events(response)) {
    if (event.trace) view.answer.trace = event.trace;
    if (event.end) view.answer.numbers = event.end;
    if (event.text === undefined) continue;
    keepingEnd(() => announcer.say(view.grow(event)));
  }
  if (!view.answer.numbers) throw new RequestFailed("The connection broke before the answer was complete.");
}

/** Show an answer at the end of the conversation. */
function show(answer) {
  const view = new AnswerView(answer, answer.model, { onRetry: retry });
  list.append(view.element);
  return view;
}

function stop() {
  running?.abort();
}

/** Ask again for the last answer, in the place of the one that failed. */
function retry() {
  if (running || !find("model").value) return;
  conversation.messages.pop();
  list.lastElementChild.remove();
  composer.field.focus();
  ask(find("model").value);
}

function setBusy(isBusy) {
  composer.setBusy(isBusy);
  list.setAttribute("aria-busy", isBusy);
  arrange();
}

/** Show what fits an empty conversation, or one that has begun; Retry belongs to the last answer alone. */
function arrange() {
  const isEmpty = conversation.messages.length === 0;
  find("empty").hidden = !isEmpty;
  find("new").hidden = isEmpty;
  list.querySelectorAll("[data-retry]").forEach((button, index, all) => (button.hidden = index < all.length - 1));
}

function keepingEnd(change) {
  const wasAtEnd = isAtEnd();
  change();
  if (wasAtEnd) scrollToEnd();
}

function endingSaid(ending) {
  return ending === "stopped" ? "Stopped." : `The answer failed: ${ending}`;
}

function nameOf(model) {
  return [...find("model").options].find((option) => option.value === model).text;
}

function begin() {
  stop();
  conversation.messages = [];
  conversation.save();
  list.replaceChildren();
  arrange();
  composer.field.focus();
}

function restore() {
  for (const message of conversation.messages) {
    if (message.role === "user") list.append(userMessage(message.text));
    else show(message).finish();
  }
  composer.text = conversation.draft;
  if ([...find("model").options].some(({ value, disabled }) => value === conversation.model && !disabled)) {
    find("model").value = conversation.model;
  }
  arrange();
  scrollToEnd();
}

find("new").addEventListener("click", begin);
find("first-prompts").addEventListener("click", ({ target }) => {
  if (!target.closest("button")) return;
  composer.text = target.textContent;
  composer.field.focus();
  send();
});
addEventListener("beforeunload", () => (isLeaving = true));
addEventListener("pagehide", () => {
  running?.view.keep();
  Object.assign(conversation, { draft: composer.field.value, model: find("model").value });
  conversation.save();
});
restore();
watchSetup(["#setup", "#model"], () => {
  find("first-prompts").hidden = false;
  announcer.sayNow("The model is ready.");
});
