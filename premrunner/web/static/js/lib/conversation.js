const KEY = "premrunner.chat";

/**
 * The conversation of this tab; it outlives a reload, not the tab.
 *
 * A message is {role, text} and, of an answer, {html, thinking, model, trace, numbers, ending}, where `ending` is
 * "done", "stopped" or the sentence that says what went wrong.
 */
export class Conversation {
  messages = [];
  draft = "";
  model = "";

  /** Return what this tab had, or a new one. */
  static restore() {
    const conversation = new Conversation();
    try {
      Object.assign(conversation, JSON.parse(sessionStorage.getItem(KEY)));
    } catch {
      // Nothing that can be read is there.
    }
    return conversation;
  }

  save() {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(this));
    } catch {
      // Longer than the browser keeps, or not allowed: the page works on, and a reload begins anew.
    }
  }

  /** The messages in the shape of the API; an answer of which nothing came is left out. */
  get wire() {
    return this.messages.filter((message) => message.text).map(({ role, text }) => ({ role, content: text }));
  }
}
