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

  /** Take in an event with text, and return the text of the blocks that have settled. */
  grow({ text, thinking, settled, open }) {
    this.answer.text += text;
    this.answer.thinking += thinking;
    const blocks = document.createRange().createContextualFragment(settled);
    const settledText = blocks.textContent;
    part(this.element, "settled").append(blocks);
    part(this.element, "open").innerHTML = open;
    part(this.element, "waiting").hidden = Boolean(this.answer.text);
    if (thinking) this.#showThinking();
    return settledText;
  }

  /** Put what is shown into the answer, so that it can be kept. */
  keep() {
    this.answer.html = part(this.element, "settled").innerHTML + part(this.element, "open").innerHTML;
  }

  /** The last block, as text for those who listen. */
  get openText() {
    return part(this.element, "open").textContent;
  }

  /** Show how it ended. */
  finish() {
    const { ending, trace, numbers, text } = this.answer;
    const isStopped = ending === "stopped";
    const hasFailed = !isStopped && ending !== "done";
    part(this.element, "waiting").hidden = true;
    part(this.element, "facts").hidden = !text && !trace;
    part(this.element, "copy-answer").hidden = !text;
    part(this.element, "trace").hidden = !trace;
    part(this.element, "trace").href = trace ?? "";
    part(this.element, "numbers").textContent = factsOf(numbers, ending);
    part(this.element, "problem-row").hidden = !hasFailed && !(isStopped && !text);
    part(this.element, "problem-row").classList.toggle("is-mild", !hasFailed);
    part(this.element, "problem").textContent = hasFailed ? ending : "Stopped before the first word.";
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
  if (numbers?.ttftMs) facts.push(`first token ${(numbers.ttftMs / 1000).toFixed(2)} s`);
  return facts.join(" · ");
}
