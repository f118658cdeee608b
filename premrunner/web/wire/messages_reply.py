"""Answers and errors in Anthropic's shapes, as pure functions of what the engine said."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Any

import orjson

from premrunner.domain.chat import Answer, ChatRun
from premrunner.records import ChatChunk, Usage
from premrunner.web.errors import error_body, face_of
from premrunner.web.wire.openai_messages import wire_tool_calls

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens"}
# Where Anthropic has another word than OpenAI for the kind of an error.
KINDS = {404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error"}


def message(run: ChatRun, answer: Answer) -> dict[str, Any]:
    """Return a whole answer."""
    content: list[dict[str, Any]] = []
    if answer.thinking:
        content.append(_thinking_block(answer.thought))
    if answer.content or not answer.tool_calls:
        content.append({"type": "text", "text": answer.text})
    content += [
        _tool_block(call, orjson.loads(call["function"]["arguments"])) for call in wire_tool_calls(answer.tool_calls)
    ]
    return {**_frame(run), "content": content, "stop_reason": _stop_reason(answer), "usage": _usage(answer.usage)}


def _frame(run: ChatRun) -> dict[str, Any]:
    return {
        "id": f"msg_{run.id}",
        "type": "message",
        "role": "assistant",
        "model": run.model_id,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(Usage()),
    }


def _usage(usage: Usage) -> dict[str, int]:
    return {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}


def _stop_reason(answer: Answer) -> str:
    return "tool_use" if answer.tool_calls else STOP_REASONS.get(answer.finish_reason or "stop", "end_turn")


def _thinking_block(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": ""}


def _tool_block(call: Mapping[str, Any], arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": arguments}


def events(run: ChatRun) -> Generator[dict[str, Any], None, None]:
    """Yield an answer as Anthropic's events; the token counts are known at its end, so they come there."""
    blocks = _Blocks()
    is_first = True
    with closing(run.chunks()) as said:
        for chunk in said:
            if is_first:
                yield {"type": "message_start", "message": _frame(run)}
                is_first = False
            yield from blocks.grow(chunk)
    yield from blocks.end()
    delta = {"stop_reason": _stop_reason(run.answer), "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": _usage(run.answer.usage)}
    yield {"type": "message_stop"}


class _Blocks:
    """The blocks of one answer, each announced, grown and ended."""

    def __init__(self) -> None:
        self._index = -1
        self._open = ""

    def grow(self, chunk: ChatChunk) -> Iterator[dict[str, Any]]:
        if chunk.thinking:
            yield from self._open_as("thinking", _thinking_block(""))
            yield self._delta({"type": "thinking_delta", "thinking": chunk.thinking})
        if chunk.content:
            yield from self._open_as("text", {"type": "text", "text": ""})
            yield self._delta({"type": "text_delta", "text": chunk.content})
        for call in wire_tool_calls(chunk.tool_calls):
            yield from self.end()
            yield from self._open_as("tool_use", _tool_block(call, {}))
            yield self._delta({"type": "input_json_delta", "partial_json": call["function"]["arguments"]})

    def end(self) -> Iterator[dict[str, Any]]:
        if self._open:
            yield {"type": "content_block_stop", "index": self._index}
        self._open = ""

    def _open_as(self, kind: str, block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if self._open != kind:
            yield from self.end()
            self._open = kind
            self._index += 1
            yield {"type": "content_block_start", "index": self._index, "content_block": block}

    def _delta(self, delta: Mapping[str, Any]) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}


def failure(error: BaseException) -> dict[str, Any]:
    """Return an error as Anthropic's clients read it; OpenAI's fields stand in it too."""
    said = error_body(error)["error"]
    return {"type": "error", "error": {**said, "type": KINDS.get(face_of(error).status, said["type"])}}
