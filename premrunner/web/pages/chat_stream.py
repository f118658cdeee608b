"""An answer as its page sees it grow: events with rendered text, a few a second."""

import logging
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Any

from flask import Response, stream_with_context

from premrunner.errors import PremRunnerError
from premrunner.records import ChatMessage
from premrunner.web import sse
from premrunner.web.errors import error_body
from premrunner.web.pages.markdown import GrowingMarkdown

logger = logging.getLogger(__name__)

# Nobody reads faster; rendering, and the browser's layout, cost less so.
LEAST_INTERVAL_SECONDS = 0.08
# A long open block is drawn less often, so that one page takes at most a 25th of the process's time.
COST_FACTOR = 25
SILENCE_SECONDS = 10.0
STILL_HERE = b": still here\n\n"

Event = dict[str, Any]


def drawn(states: Iterable[ChatMessage], pause: Callable[[float], None] = time.sleep) -> Generator[Event, None, None]:
    """Yield what is new of an answer.

    Each event has the new ``text`` and ``thinking`` as they came, the HTML that has ``settled`` since the last event,
    and the HTML that is still ``open`` and replaces the one before. Empty ones say that nothing is new.

    Args:
        states: The answer again and again, from its beginning or from anywhere.
        pause: Waits for so many seconds.
    """
    drawing = GrowingMarkdown()
    text_length, thinking_length, told_at = 0, 0, time.monotonic()
    for message in states:
        text, thinking = message.content[text_length:], message.thinking[thinking_length:]
        text_length, thinking_length = len(message.content), len(message.thinking)
        if text or thinking:
            started_at = time.perf_counter()
            settled, still_open = drawing.add(text)
            told_at = time.monotonic()
            yield {"text": text, "thinking": thinking, "settled": settled, "open": still_open}
            cost_seconds = time.perf_counter() - started_at
            if message.is_running:
                pause(max(LEAST_INTERVAL_SECONDS, COST_FACTOR * cost_seconds))
        elif time.monotonic() - told_at > SILENCE_SECONDS:
            told_at = time.monotonic()
            yield {}


def event_stream(
    states: Generator[ChatMessage, None, None],
    ending: Callable[[ChatMessage], Event],
    title: Callable[[], str],
) -> Response:
    """Answer with an answer's events; a page that leaves ends them, and nothing else.

    Args:
        states: The answer again and again.
        ending: Returns what the page shows of the whole answer.
        title: Returns the conversation's title, once the answer has given it one.
    """

    def events() -> Generator[bytes, None, None]:
        last: list[ChatMessage] = []
        try:
            with closing(states), closing(drawn(_remembering(states, last))) as drawings:
                for drawing in drawings:
                    yield sse.event(drawing) if drawing else STILL_HERE
            yield sse.event({"end": ending(last[0])})
            yield sse.event({"title": title()})
        except Exception as error:
            if not isinstance(error, PremRunnerError):
                logger.exception("A page could not follow an answer.")
            yield sse.event(error_body(error))

    # What ends the answer is rendered by a template, and that needs the request's context.
    return Response(stream_with_context(events()), mimetype="text/event-stream", headers=sse.HEADERS)


def _remembering(states: Iterable[ChatMessage], last: list[ChatMessage]) -> Generator[ChatMessage, None, None]:
    for message in states:
        last[:] = [message]
        yield message
