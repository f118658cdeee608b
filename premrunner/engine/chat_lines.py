"""Translate between our records and the JSON of Ollama's ``/api/chat`` and ``/api/generate``."""

from collections.abc import Mapping, Sequence
from typing import Any

from premrunner.errors import EngineBroken
from premrunner.records import ChatChunk, ChatRequest, CompletionRequest, Usage

NANOSECONDS_PER_MILLISECOND = 1_000_000


def chat_body(request: ChatRequest) -> dict[str, Any]:
    """Return the body of a streamed ``POST /api/chat``.

    We always stream: the connection then shows at once when the engine has died, and leaving stops it.
    """
    body: dict[str, Any] = {"model": request.model, "messages": list(request.messages), "stream": True}
    for name in ("format", "tools", "think"):
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    return body | _shared_fields(request)


def completion_body(request: CompletionRequest) -> dict[str, Any]:
    """Return the body of a streamed ``POST /api/generate``.

    A gap needs the model's own template, which knows its marks; a plain text must not meet any.
    """
    body: dict[str, Any] = {"model": request.model, "prompt": request.prompt, "stream": True}
    body |= {"suffix": request.suffix} if request.suffix else {"raw": True}
    return body | _shared_fields(request)


def _shared_fields(request: ChatRequest | CompletionRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {"options": dict(request.options)} if request.options else {}
    if request.keep_alive is not None:
        fields["keep_alive"] = request.keep_alive
    if request.logprobs:
        fields |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    return fields


def chunk_of(line: Mapping[str, Any]) -> ChatChunk:
    """Return what a line of ``/api/chat`` says.

    Raises:
        EngineBroken: The line has not the shape of a chat line.
    """
    message = line.get("message") or {}
    if not isinstance(message, dict):
        raise EngineBroken("The engine sent a chat line without a message.")
    return _chunk(line, message.get("content"), message.get("thinking"), message.get("tool_calls"))


def completion_chunk_of(line: Mapping[str, Any]) -> ChatChunk:
    """Return what a line of ``/api/generate`` says."""
    return _chunk(line, line.get("response"), line.get("thinking"))


def _chunk(
    line: Mapping[str, Any], content: str | None, thinking: str | None, tool_calls: Sequence[Any] | None = None
) -> ChatChunk:
    chunk = ChatChunk(content or "", thinking or "", tool_calls or (), line.get("logprobs") or ())
    if line.get("done"):
        chunk.finish_reason, chunk.usage = line.get("done_reason") or "stop", usage_of(line)
    return chunk


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
