"""Lines of JSON out of pieces of bytes, however the network cut them."""

from collections.abc import Iterator
from typing import Any

import orjson

from premrunner.errors import EngineBroken

# Ollama allows its runner 8 MB an event; anything longer is not an event of any engine.
LONGEST_LINE_BYTES = 16 * 1024 * 1024


class NdjsonDecoder:
    """Takes bytes as they come and gives each line that has become whole, parsed."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Return the objects that ``data`` completes, each parsed when it is asked for.

        Args:
            data: The next bytes; none at the end, when a last line needs no newline.

        Raises:
            EngineBroken: A line is not a JSON object, or has no end.
        """
        *lines, self._tail = (self._tail + (data or b"\n")).split(b"\n")
        if len(self._tail) > LONGEST_LINE_BYTES:
            raise EngineBroken("The engine sent a line without end.")
        return map(_parse, filter(bytes.strip, lines))


def _parse(line: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise EngineBroken("The engine sent a line that is not JSON.") from error
    if not isinstance(value, dict):
        raise EngineBroken("The engine sent a line that is not a JSON object.")
    return value
