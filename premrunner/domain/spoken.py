"""What was said in a call, whatever the shape of its request: the text for a search, and a glance for a list."""

from collections.abc import Iterator
from typing import Any

# Documents in a prompt are found by their end, where the question is; a book in it need not be found by every word.
LONGEST_SAID = 20_000
LONGEST_PREVIEW = 160
# Parts of messages of a list are four deep; what nests further is no conversation.
DEEPEST = 12

# What stands in these is text that somebody said; the rest is names, kinds and pictures.
SPOKEN = ("content", "text", "input", "output", "reasoning_content", "thinking", "arguments", "function", "tool_calls")


def searchable(sent: Any, output: str) -> str:
    """Return the text by which a call is found: the end of what was sent, and what was answered."""
    return "\n".join(["\n".join(_texts(sent))[-LONGEST_SAID:], output[:LONGEST_SAID]])


def preview(sent: Any) -> str:
    """Return the beginning of the last thing that was said, on one line."""
    last = sent[-1:] if isinstance(sent, list) else [sent]
    said = next((text for text in _texts(last) if text.strip()), "")
    line = " ".join(said[: 4 * LONGEST_PREVIEW].split())
    return line if len(line) <= LONGEST_PREVIEW else line[: LONGEST_PREVIEW - 1].rstrip() + "…"


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < DEEPEST and isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
    elif depth < DEEPEST and isinstance(value, dict):
        for name in SPOKEN:
            if name in value:
                yield from _texts(value[name], depth + 1)
