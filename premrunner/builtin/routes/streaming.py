"""Answers that come in lines, or whole."""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import orjson
from flask import Response

from premrunner.builtin.refusals import Refusal
from premrunner.errors import Cancelled

Line = dict[str, Any]


def answer_stream(lines: Generator[Line, None, None], *, is_streamed: bool) -> Response:
    """Return a response that sends each line as it comes, or the last one alone.

    The first line is taken before the response begins, so a fault up to there has its own status; one after it is a
    last line ``{"error": …}``, as in Ollama.

    Args:
        lines: Closed at the end, whatever way it comes.
        is_streamed: Whether the client wants the lines.

    Raises:
        Refusal: Before the first line; anywhere when not streamed.
    """
    if not is_streamed:
        with closing(lines):
            *_, last = lines
        return answer_json(last)
    first = next(lines)
    return Response(_encoded(first, lines), content_type="application/x-ndjson", direct_passthrough=True)


def answer_json(line: Line) -> Response:
    """Return a response of one object."""
    return Response(orjson.dumps(line), content_type="application/json; charset=utf-8")


def _encoded(first: Line, rest: Generator[Line, None, None]) -> Iterator[bytes]:
    with closing(rest):
        yield _line(first)
        try:
            for line in rest:
                yield _line(line)
        except Refusal as refusal:
            yield _line({"error": refusal.message})
        except Cancelled:
            return


def _line(line: Line) -> bytes:
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
