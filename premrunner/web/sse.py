"""Server-sent events out of a running chat: primed, one event a write, ended in every way a stream can end."""

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing
from itertools import chain
from typing import Any

import orjson
from flask import Response, request

from premrunner.domain.chat import Answer, ChatRun, ChatService
from premrunner.errors import PremRunnerError
from premrunner.net.departure import DepartureWatch
from premrunner.web.errors import error_body

logger = logging.getLogger(__name__)

DONE = b"data: [DONE]\n\n"
HEADERS = {
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx would collect events.
}

departures = DepartureWatch()


def event(value: Any) -> bytes:
    """Return one event with JSON data."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def complete(chat: ChatService, run: ChatRun) -> Answer:
    """Run a call to its end; a client that leaves meanwhile stops the engine."""
    with departures.watch(_client_socket(), run.cancel):
        return chat.complete(run)


def event_stream(
    run: ChatRun, shape: Callable[[ChatRun], Generator[dict[str, Any], None, None]], last: bytes = DONE
) -> Response:
    """Answer with the events of a call.

    The first event is fetched before there is a response, so that a call which fails at once has an honest status.

    Args:
        run: The call; closed when the response is.
        shape: Turns the call into JSON objects.
        last: Written when the call has ended well.
    """
    ended = ExitStack()
    ended.callback(run.close)
    ended.enter_context(departures.watch(_client_socket(), run.cancel))
    events = _events(shape(run), last)
    try:
        first = next(events)
    except BaseException:
        ended.close()
        raise
    ended.callback(events.close)
    response = Response(chain([first], _never_raising(events)), mimetype="text/event-stream", headers=HEADERS)
    # Also runs when the client left before the generator began, which then never does.
    response.call_on_close(ended.close)
    return response


def _events(objects: Generator[dict[str, Any], None, None], last: bytes) -> Generator[bytes, None, None]:
    with closing(objects):
        for value in objects:
            yield event(value)
    if last:
        yield last


def _never_raising(events: Iterable[bytes]) -> Generator[bytes, None, None]:
    """After the first byte a failure is an event of its own and the end of the stream."""
    try:
        yield from events
    except PremRunnerError as error:
        yield event(error_body(error))
    except Exception as error:
        logger.exception("A stream failed.")
        yield event(error_body(error))


def _client_socket() -> Any:
    """Return the socket of the client; None where the server does not show it."""
    return request.environ.get("gunicorn.socket")
