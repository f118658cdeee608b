const PREFIX = "premrunner.draft.";

/** Keep what is being written in a conversation over a reload, for this tab. */
export function keepDraft(composer, conversationId) {
  const key = () => PREFIX + (conversationId() || "new");
  try {
    composer.text ||= sessionStorage.getItem(key()) ?? "";
    addEventListener("pagehide", () => sessionStorage.setItem(key(), composer.field.value));
  } catch {
    // The browser keeps nothing for us: a reload forgets what was not sent.
  }
}
