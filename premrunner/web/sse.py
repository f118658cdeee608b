"""Server-sent events out of a running call: primed, one event a write, ended in every way a stream can end."""

import logging
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson
from flask import Response, request

from premrunner.domain.chat import Answer, ChatRun, ChatService
from premrunner.errors import PremRunnerError
from premrunner.net.departure import DepartureWatch
from premrunner.web.direct_chunks import sent_directly
from premrunner.web.errors import error_body

logger = logging.getLogger(__name__)

DONE = b"data: [DONE]\n\n"
HEADERS = {
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx would collect events.
}

departures = DepartureWatch()


def event(value: Any, name: str = "") -> bytes:
    """Return one event with JSON data, under a name if it has one."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + orjson.dumps(value) + b"\n\n"


def typed_event(value: Mapping[str, Any]) -> bytes:
    """Return an event that is named as its own ``type`` says."""
    return event(value, value["type"])


@dataclass(frozen=True)
class Framing:
    """How one wire writes its events.

    Attributes:
        write: Turns an object into an event.
        failure: Turns an error, after the first byte, into the last object.
        ending: Yields what follows the last object of a call that ended well.
        always_ends: Whether that follows a failure, too.
    """

    write: Callable[[Mapping[str, Any]], bytes] = event
    failure: Callable[[BaseException], Mapping[str, Any]] = error_body
    ending: Callable[[ChatRun], Iterable[bytes]] = lambda _: (DONE,)
    always_ends: bool = False


OPENAI = Framing()
# For our own pages, whose last object says itself that it is the last.
UNENDED = Framing(ending=lambda _: ())


def complete(chat: ChatService, run: ChatRun) -> Answer:
    """Run a call to its end; a client that leaves meanwhile stops the engine."""
    with departures.watch(client_socket(), run.cancel):
        return chat.complete(run)


def event_stream(
    run: ChatRun, shape: Callable[[ChatRun], Generator[dict[str, Any], None, None]], framing: Framing = OPENAI
) -> Response:
    """Answer with the events of a call.

    The first event is fetched before there is a response, so that a call which fails at once has an honest status.

    Args:
        run: The call; closed when the response is.
        shape: Turns the call into JSON objects.
        framing: How they are written.
    """
    ended = ExitStack()
    ended.callback(run.close)
    ended.enter_context(departures.watch(client_socket(), run.cancel))
    events = _events(run, shape(run), framing)
    try:
        first = next(events)
    except BaseException:
        ended.close()
        raise
    ended.callback(events.close)
    body = chain([first], sent_directly(request.environ, events))
    response = Response(body, mimetype="text/event-stream", headers=HEADERS)
    # Also runs when the client left before the generator began, which then never does.
    response.call_on_close(ended.close)
    return response


def _events(
    run: ChatRun, objects: Generator[dict[str, Any], None, None], framing: Framing
) -> Generator[bytes, None, None]:
    """Yield events; after the first a failure is an event of its own and the end of the stream."""
    has_begun = False
    try:
        with closing(objects):
            for value in objects:
                yield framing.write(value)
                has_begun = True
        yield from framing.ending(run)
    except Exception as error:
        if not has_begun:
            raise
        if not isinstance(error, PremRunnerError):
            logger.exception("A stream failed.", extra={"request_id": run.id})
        yield framing.write(framing.failure(error))
        if framing.always_ends:
            yield from framing.ending(run)


def client_socket() -> Any:
    """Return the socket of the client; None where the server does not show it."""
    return request.environ.get("gunicorn.socket")
