"""A recorded call as a request again: on the wire it came by, or with another model."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from premrunner.domain.chat import ChatCall
from premrunner.errors import InvalidRequest
from premrunner.records import Trace
from premrunner.web.wire.completion_request import parse_completion
from premrunner.web.wire.messages_request import parse_message
from premrunner.web.wire.openai_request import parse_chat
from premrunner.web.wire.responses_request import parse_response

# Under which name each wire sends what was said; our own chat and the proof of an import speak OpenAI's.
FIELDS = {"/completions": "prompt", "/embeddings": "input", "/responses": "input", "/messages": "messages"}
PARSERS: Mapping[str, Callable[[Mapping[str, Any]], ChatCall]] = {
    "/completions": lambda body: parse_completion(body).call,
    "/responses": parse_response,
    "/messages": parse_message,
    "/chat/completions": lambda body: parse_chat(body)[0],
}


def wire_of(trace: Trace) -> str:
    """Return the path of the API, without its prefix, that takes the request of a trace."""
    path = next((path for path in ("/chat/completions", *FIELDS) if trace.endpoint.endswith(path)), "")
    return path or "/chat/completions"


def body_of(trace: Trace) -> dict[str, Any]:
    """Return the body that its caller sent."""
    given: Mapping[str, Any] = orjson.loads(trace.parameters)
    said = {FIELDS.get(wire_of(trace), "messages"): orjson.loads(trace.input)}
    rest = {name: value for name, value in given.items() if name != "model"}
    return {"model": trace.model, **said, **rest}


def replay_of(trace: Trace, model: str) -> ChatCall:
    """Return the same call to another model, answered in one piece.

    Raises:
        InvalidRequest: It is of a kind that gives no text to compare, or would not be taken today.
    """
    parse = PARSERS.get(wire_of(trace))
    if parse is None:
        raise InvalidRequest("Embeddings cannot be replayed: there is no answer to compare.")
    return replace(parse({**body_of(trace), "model": model, "stream": False}), replay_of=trace.id)
