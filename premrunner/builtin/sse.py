"""Server-sent events, as llama.cpp sends them: one JSON object a ``data:`` line."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

_DATA = b"data: "
_DONE = b"[DONE]"


def events(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the events of a body that arrives in arbitrary pieces; comments (pings) and the end mark are left out.

    Raises:
        ValueError: A line holds no JSON.
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(_DATA) and not line.startswith(_DONE, len(_DATA)):
                yield orjson.loads(line[len(_DATA) :])
            elif line.startswith(b"error: "):
                yield {"error": orjson.loads(line[len(b"error: ") :])}
