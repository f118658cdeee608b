"""llama.cpp's answers as Ollama's lines. Pure: events in, objects out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson

from premrunner.builtin.manifests import timestamp
from premrunner.builtin.refusals import MODEL_CRASHED, Refusal

_NANOSECONDS_A_MILLISECOND = 1_000_000


@dataclass
class Delta:
    """A piece of an answer; the last one of an answer bears its end.

    Attributes:
        content: Text.
        thinking: Text thought, not said.
        tool_calls: Ollama's objects; only on the last piece.
        logprobs: Ollama's objects, one a token.
        done_reason: ``stop`` or ``length`` on the last piece, else "".
        counts: Token counts and nanoseconds, on the last piece.
    """

    content: str = ""
    thinking: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    done_reason: str = ""
    counts: dict[str, int] = field(default_factory=dict)


def chat_deltas(events: Iterable[Mapping[str, Any]], top_logprobs: int) -> Iterator[Delta]:
    """Yield the pieces of ``/v1/chat/completions``.

    Args:
        events: llama.cpp's events.
        top_logprobs: How many alternatives the caller wants beside each token.

    Raises:
        Refusal: The events ended before the answer did.
    """
    calls = _ToolCalls()
    for event in events:
        for choice in event.get("choices", ()):
            delta = choice.get("delta", {})
            calls.add(delta.get("tool_calls") or ())
            logprobs = _logprobs((choice.get("logprobs") or {}).get("content"), top_logprobs)
            if reason := choice.get("finish_reason"):
                if reason == "length":  # A call that was being written is cut, and of no use.
                    yield Delta(done_reason="length", counts=_counts(event))
                else:
                    yield Delta(tool_calls=calls.complete(), done_reason="stop", counts=_counts(event))
                return
            content, thinking = delta.get("content") or "", delta.get("reasoning_content") or ""
            if content or thinking or logprobs:
                yield Delta(content, thinking, logprobs=logprobs)
    raise Refusal(MODEL_CRASHED, HTTPStatus.INTERNAL_SERVER_ERROR)


def completion_deltas(events: Iterable[Mapping[str, Any]], top_logprobs: int) -> Iterator[Delta]:
    """Yield the pieces of ``/completion`` and ``/infill``; arguments and faults are those of `chat_deltas`."""
    for event in events:
        content = event.get("content") or ""
        if event.get("stop"):
            done_reason = "length" if event.get("stop_type") == "limit" else "stop"
            yield Delta(content, done_reason=done_reason, counts=_counts(event))
            return
        logprobs = _logprobs(event.get("completion_probabilities"), top_logprobs)
        if content or logprobs:
            yield Delta(content, logprobs=logprobs)
    raise Refusal(MODEL_CRASHED, HTTPStatus.INTERNAL_SERVER_ERROR)


def whole(deltas: Iterable[Delta]) -> Delta:
    """Return an answer's pieces as one."""
    total = Delta()
    texts: list[str] = []
    thoughts: list[str] = []
    for delta in deltas:
        texts.append(delta.content)
        thoughts.append(delta.thinking)
        total.logprobs += delta.logprobs
        total.tool_calls += delta.tool_calls
        total.done_reason, total.counts = delta.done_reason, delta.counts
    total.content, total.thinking = "".join(texts), "".join(thoughts)
    return total


def chat_line(model: str, delta: Delta) -> dict[str, Any]:
    """Return a line of ``/api/chat``."""
    message: dict[str, Any] = {"role": "assistant", "content": delta.content}
    if delta.thinking:
        message["thinking"] = delta.thinking
    if delta.tool_calls:
        message["tool_calls"] = delta.tool_calls
    return _line(model, {"message": message}, delta)


def generate_line(model: str, delta: Delta) -> dict[str, Any]:
    """Return a line of ``/api/generate``."""
    said: dict[str, Any] = {"response": delta.content}
    if delta.thinking:
        said["thinking"] = delta.thinking
    return _line(model, said, delta)


def _line(model: str, said: dict[str, Any], delta: Delta) -> dict[str, Any]:
    line = {"model": model, "created_at": timestamp(), **said, "done": bool(delta.done_reason)}
    if delta.done_reason:
        line["done_reason"] = delta.done_reason
        line.update((name, count) for name, count in delta.counts.items() if count)  # Ollama leaves zeros out.
    if delta.logprobs:
        line["logprobs"] = delta.logprobs
    return line


def _counts(event: Mapping[str, Any]) -> dict[str, int]:
    timings = event.get("timings", {})
    return {
        "prompt_eval_count": timings.get("cache_n", 0) + timings.get("prompt_n", 0),
        "prompt_eval_duration": int(timings.get("prompt_ms", 0) * _NANOSECONDS_A_MILLISECOND),
        "eval_count": timings.get("predicted_n", 0),
        "eval_duration": int(timings.get("predicted_ms", 0) * _NANOSECONDS_A_MILLISECOND),
    }


def _logprobs(tokens: Iterable[Mapping[str, Any]] | None, top_logprobs: int) -> list[dict[str, Any]]:
    found = []
    for token in tokens or ():
        entry = _logprob(token)
        if top_logprobs:
            entry["top_logprobs"] = [_logprob(other) for other in token.get("top_logprobs", ())[:top_logprobs]]
        found.append(entry)
    return found


def _logprob(token: Mapping[str, Any]) -> dict[str, Any]:
    return {"token": token["token"], "logprob": token["logprob"], "bytes": token["bytes"]}


class _ToolCalls:
    """Tool calls that arrive in fragments, each with the index of its call."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, str]] = {}

    def add(self, fragments: Iterable[Mapping[str, Any]]) -> None:
        for fragment in fragments:
            call = self._calls.setdefault(fragment.get("index", 0), {"id": "", "name": "", "arguments": ""})
            function = fragment.get("function", {})
            call["id"] = fragment.get("id") or call["id"]
            call["name"] = function.get("name") or call["name"]
            call["arguments"] += function.get("arguments") or ""

    def complete(self) -> list[dict[str, Any]]:
        return [
            {
                "id": call["id"],
                "function": {"index": index, "name": call["name"], "arguments": _arguments(call)},
            }
            for index, call in sorted(self._calls.items())
        ]


def _arguments(call: Mapping[str, str]) -> dict[str, Any]:
    try:
        arguments = orjson.loads(call["arguments"] or "{}")
    except ValueError as error:
        message = f'llama-server returned invalid tool call arguments for "{call["name"]}": {error}'
        raise Refusal(message, HTTPStatus.INTERNAL_SERVER_ERROR) from error
    return arguments if isinstance(arguments, dict) else {"value": arguments}
