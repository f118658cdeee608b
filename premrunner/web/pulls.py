"""Models that the engine fetches by name: the progress as server-sent events."""

from collections.abc import Generator, Iterable
from contextlib import ExitStack
from itertools import chain
from typing import Any

from flask import Blueprint, Response, request

from premrunner.domain.pulling import PullStep
from premrunner.errors import PremRunnerError
from premrunner.net.http import Cancellation
from premrunner.web import parsing, sse
from premrunner.web.engine_guard import require_engine
from premrunner.web.errors import error_body
from premrunner.web.operation import operation
from premrunner.web.parsing import Parameter, json_object
from premrunner.web.services import services

bp = Blueprint("pulls", __name__)

MODEL = (Parameter("model", parsing.text, meaning="A name in the engine's registry.", is_required=True),)


@bp.post("/pull")
@operation(MODEL, answer="PullEvent", streams="PullEvent")
def pull_model() -> Response:
    """Have the engine fetch a model by its name; progress as events, and a client that leaves ends it."""
    require_engine()
    name = parsing.fields(MODEL, json_object(request))["model"].strip()
    cancellation = Cancellation()
    steps = services().pulling.pull(name, cancellation)
    ended = ExitStack()
    ended.enter_context(sse.departures.watch(sse.client_socket(), cancellation.cancel))
    ended.callback(steps.close)
    try:
        first = next(steps)  # What cannot be pulled at all has an honest status.
    except BaseException:
        ended.close()
        raise
    response = Response(_events(chain([first], steps), name), mimetype="text/event-stream", headers=sse.HEADERS)
    response.call_on_close(ended.close)
    return response


def _events(steps: Iterable[PullStep], name: str) -> Generator[bytes, None, None]:
    try:
        for step in steps:
            yield sse.event(step_shape(step))
        yield sse.event({"ready": name})
    except PremRunnerError as error:
        yield sse.event(error_body(error))


def step_shape(step: PullStep) -> dict[str, Any]:
    """Return how far a pull is, as clients see it."""
    return {
        "message": step.message,
        "percent": step.percent,
        "doneBytes": step.done_bytes,
        "totalBytes": step.total_bytes,
    }
