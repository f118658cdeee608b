"""What a correction changed, word by word."""

import difflib
import html
import re
from collections.abc import Sequence

WORD = re.compile(r"\s+|\w+|[^\w\s]")
LINE = re.compile(r"[^\n]*\n|[^\n]+")
# Comparing takes time as the product of both lengths, and everybody's streams wait for it.
MOST_WORDS = 1_500
MOST_LINES = 2_000


def word_diff(before: str, after: str) -> str:
    """Return both texts as one piece of HTML, with what went in ``del`` and what came in ``ins``.

    Long texts are compared line by line, and books not at all: the one went, the other came.
    """
    for pattern, most in ((WORD, MOST_WORDS), (LINE, MOST_LINES)):
        old, new = pattern.findall(before), pattern.findall(after)
        if max(len(old), len(new)) <= most:
            return _marked(old, new)
    return _marked([before], [after])


def _marked(old: Sequence[str], new: Sequence[str]) -> str:
    parts = []
    for kind, old_from, old_to, new_from, new_to in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if kind == "equal":
            parts.append(html.escape("".join(old[old_from:old_to])))
            continue
        parts.append(_tag("del", old[old_from:old_to]))
        parts.append(_tag("ins", new[new_from:new_to]))
    return "".join(parts)


def _tag(name: str, words: Sequence[str]) -> str:
    return f"<{name}>{html.escape(''.join(words))}</{name}>" if words else ""
