"""Titles: the first words at once, and the model's own once it has answered."""

import re
from dataclasses import replace

from premrunner.domain.chat import ChatCall
from premrunner.records import ChatRequest

LONGEST_TITLE = 80
FIRST_WORDS = 60
TITLE_TOKENS = 24
ASK = "Write a title for this conversation in two to six words. Answer with the title alone."

MARKS = re.compile(r"[*_`#\"“”«»]+")
LABEL = re.compile(r"^\s*title\s*:\s*", re.IGNORECASE)


def first_words(text: str) -> str:
    """Return the beginning of a question as a title."""
    words = " ".join(text.split())
    if len(words) <= FIRST_WORDS:
        return words or "New conversation"
    return words[:FIRST_WORDS].rsplit(" ", 1)[0] + "…"


def one_line(text: str) -> str:
    """Return what somebody wants a title to be as one line of at most `LONGEST_TITLE` characters."""
    return " ".join(text.split())[:LONGEST_TITLE].strip()


def title_call(call: ChatCall, answer: str) -> ChatCall:
    """Return the question for a title, behind a conversation that the engine still has in its cache.

    The options that decide how a model is loaded stay as they were, so that it is not loaded anew.
    """
    request = call.request
    if not isinstance(request, ChatRequest):
        raise TypeError("Only a chat can be given a title.")
    said = [{"role": "assistant", "content": answer}, {"role": "user", "content": ASK}]
    options = {name: value for name, value in request.options.items() if name == "num_ctx"}
    options |= {"num_predict": TITLE_TOKENS, "temperature": 0.2}
    asked = replace(request, messages=[*request.messages, *said], options=options, think=False)
    return ChatCall(asked, [*call.sent, *said], {"model": request.model, "purpose": "title"})


def title_in(answer: str) -> str:
    """Return the title that a model's answer holds; empty when it holds none of use."""
    lines = [line for line in answer.splitlines() if line.strip()]
    title = one_line(LABEL.sub("", MARKS.sub("", lines[0])) if lines else "").rstrip(" .:;,")
    is_sentence = len(title.split()) > 10  # It has answered the question once more.
    return "" if is_sentence else title
