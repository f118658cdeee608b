import { copyText } from "./copy.js";

const part = (root, name) => root.querySelector(`[data-${name}]`);

function fromTemplate(name) {
  return document.querySelector(`template[data-${name}-template]`).content.firstElementChild.cloneNode(true);
}

/** Return the element of what the user said. */
export function userMessage(text) {
  const element = fromTemplate("user");
  part(element, "text").textContent = text;
  return element;
}

/** The element of one answer, which grows. Its HTML comes from the server, which sanitised it. */
export class AnswerView {
  constructor(answer, speaker, { onRetry }) {
    this.answer = answer;
    this.element = fromTemplate("answer");
    part(this.element, "speaker").textContent = speaker;
    part(this.element, "settled").innerHTML = answer.html ?? "";
    part(this.element, "retry").addEventListener("click", onRetry);
    const copy = part(this.element, "copy-answer");
    copy.addEventListener("click", () => copyText(this.answer.text, copy));
    this.#showThinking();
  }

  /** Say what is being waited for. */
  wait(text) {
    part(this.element, "waiting-text").textContent = text;
  }

  /** Take in an event with text. */
  grow({ text, thinking, settled, open }) {
    this.answer.text += text;
    this.answer.thinking += thinking;
    part(this.element, "settled").insertAdjacentHTML("beforeend", settled);
    part(this.element, "open").innerHTML = open;
    this.answer.html = part(this.element, "settled").innerHTML + open;
    part(this.element, "waiting").hidden = Boolean(this.answer.text);
    this.#showThinking();
  }

  /** The last block, as text for those who listen. */
  get openText() {
    return part(this.element, "open").textContent;
  }

  /** Show how it ended. */
  finish() {
    const { ending, trace, numbers, text } = this.answer;
    part(this.element, "waiting").hidden = true;
    part(this.element, "facts").hidden = !(text || trace);
    part(this.element, "copy-answer").hidden = !text;
    part(this.element, "trace").hidden = !trace;
    part(this.element, "trace").href = trace ?? "";
    part(this.element, "numbers").textContent = factsOf(numbers, ending);
    const hasFailed = ending !== "done" && ending !== "stopped";
    part(this.element, "problem-row").hidden = !hasFailed;
    part(this.element, "problem").textContent = hasFailed ? ending : "";
  }

  #showThinking() {
    part(this.element, "thinking").hidden = !this.answer.thinking;
    part(this.element, "thought").textContent = this.answer.thinking ?? "";
  }
}

function factsOf(numbers, ending) {
  const facts = [];
  if (ending === "stopped") facts.push("Stopped");
  if (numbers?.toolCalls.length) facts.push(`Calls ${numbers.toolCalls.join(", ")}`);
  if (numbers?.finishReason === "length") facts.push("Cut at the token limit");
  if (numbers?.completionTokens) facts.push(`${numbers.completionTokens} tokens`);
  if (numbers?.tokensPerSecond) facts.push(`${numbers.tokensPerSecond.toFixed(1)} tokens/s`);
  if (numbers?.ttftMs) facts.push(`first after ${(numbers.ttftMs / 1000).toFixed(2)} s`);
  return facts.join(" · ");
}
