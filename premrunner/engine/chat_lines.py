"""Translate between our chat records and the JSON of Ollama's ``/api/chat``."""

from collections.abc import Mapping
from typing import Any

from premrunner.errors import EngineBroken
from premrunner.records import ChatChunk, ChatRequest, Usage

NANOSECONDS_PER_MILLISECOND = 1_000_000


def chat_body(request: ChatRequest) -> dict[str, Any]:
    """Return the body of a streamed ``POST /api/chat``.

    We always stream: the connection then shows at once when the engine has died, and leaving stops it.
    """
    body: dict[str, Any] = {"model": request.model, "messages": list(request.messages), "stream": True}
    if request.options:
        body["options"] = dict(request.options)
    for name in ("format", "tools", "think", "keep_alive"):
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.logprobs:
        body["logprobs"] = True
        body["top_logprobs"] = request.top_logprobs
    return body


def chunk_of(line: Mapping[str, Any]) -> ChatChunk:
    """Return what a line of ``/api/chat`` says.

    Raises:
        EngineBroken: The line has not the shape of a chat line.
    """
    message = line.get("message") or {}
    if not isinstance(message, Mapping):
        raise EngineBroken("The engine sent a chat line without a message.")
    is_last = bool(line.get("done"))
    return ChatChunk(
        content=message.get("content") or "",
        thinking=message.get("thinking") or "",
        tool_calls=message.get("tool_calls") or (),
        logprobs=line.get("logprobs") or (),
        finish_reason=(line.get("done_reason") or "stop") if is_last else None,
        usage=usage_of(line) if is_last else None,
    )


def usage_of(line: Mapping[str, Any]) -> Usage:
    """Return the counters of a last line; Ollama leaves out those that are zero."""
    return Usage(
        prompt_tokens=int(line.get("prompt_eval_count") or 0),
        completion_tokens=int(line.get("eval_count") or 0),
        load_ms=_milliseconds(line, "load_duration"),
        prefill_ms=_milliseconds(line, "prompt_eval_duration"),
        decode_ms=_milliseconds(line, "eval_duration"),
    )


def _milliseconds(line: Mapping[str, Any], name: str) -> float:
    return int(line.get(name) or 0) / NANOSECONDS_PER_MILLISECOND
