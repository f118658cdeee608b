"""Answers in the shape of OpenAI's Responses, whole and as its numbered events."""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

from premrunner.domain.chat import Answer, ChatRun
from premrunner.records import ChatChunk, Usage
from premrunner.web.errors import error_body
from premrunner.web.wire.openai_messages import wire_tool_calls

# What an answer says again of its request, with the values that hold when it was silent.
ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
}

Item = dict[str, Any]


def response(run: ChatRun, answer: Answer, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole answer.

    Args:
        run: The call.
        answer: What was said.
        body: The request.
    """
    output: list[Item] = []
    if answer.thinking:
        output.append(_reasoning_item(run, len(output), answer.thought))
    if answer.content or not answer.tool_calls:
        output.append(_message_item(run, len(output), answer.text))
    output += _call_items(run, answer.tool_calls, len(output))
    return _finished(run, body, output)


def _frame(run: ChatRun, body: Mapping[str, Any], created_at: int) -> dict[str, Any]:
    """Return an answer of which nothing has been said yet."""
    given = {name: body[name] for name in ECHOED if body.get(name) is not None}
    return {
        "id": f"resp_{run.id}",
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "model": run.model_id,
        "output": [],
        "error": None,
        "incomplete_details": None,
        "previous_response_id": None,
        "store": False,
        "usage": None,
        **ECHOED,
        **given,
    }


def _finished(
    run: ChatRun, body: Mapping[str, Any], output: Sequence[Item], created_at: int | None = None
) -> dict[str, Any]:
    is_cut = run.answer.finish_reason == "length"
    return {
        **_frame(run, body, created_at or int(time.time())),
        "status": "incomplete" if is_cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "output": list(output),
        "usage": _usage(run.answer.usage),
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.total_tokens,
    }


def _reasoning_item(run: ChatRun, index: int, text: str) -> Item:
    return {
        "id": f"rs_{run.id}_{index}",
        "type": "reasoning",
        "status": "completed",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": text}],
    }


def _message_item(run: ChatRun, index: int, text: str) -> Item:
    return {
        "id": f"msg_{run.id}_{index}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }


def _call_items(run: ChatRun, calls: Sequence[Mapping[str, Any]], first_index: int) -> list[Item]:
    return [
        {
            "id": f"fc_{run.id}_{index}",
            "type": "function_call",
            "status": "completed",
            "call_id": call["id"],
            "name": call["function"]["name"],
            "arguments": call["function"]["arguments"],
        }
        for index, call in enumerate(wire_tool_calls(calls), first_index)
    ]


class ResponseEvents:
    """The events of one answer: each item is announced, grows, and is shown whole when it ends.

    Args:
        run: The call, not yet begun.
        body: The request.
    """

    def __init__(self, run: ChatRun, body: Mapping[str, Any]) -> None:
        self._run = run
        self._body = body
        self._created_at = int(time.time())
        self._number = 0
        self._output: list[Item] = []
        self._open: str = ""  # The kind of the item that grows, if any does.
        self._text: list[str] = []

    def all(self) -> Generator[dict[str, Any], None, None]:
        """Yield the events of a call from its first to ``response.completed`` or ``response.incomplete``."""
        frame = _frame(self._run, self._body, self._created_at)
        with closing(self._run.chunks()) as said:
            for chunk in said:
                if not self._number:
                    yield self._event("response.created", response=frame)
                    yield self._event("response.in_progress", response=frame)
                yield from self._grow("reasoning", chunk.thinking)
                yield from self._grow("message", chunk.content)
                yield from self._calls(chunk)
        if not self._output and not self._open:
            yield from self._begin("message")
        yield from self._end()
        whole = _finished(self._run, self._body, self._output, self._created_at)
        yield self._event(f"response.{whole['status']}", response=whole)

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        event = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return event

    def _grow(self, kind: str, text: str) -> Generator[dict[str, Any], None, None]:
        if not text:
            return
        if self._open != kind:
            yield from self._end()
            yield from self._begin(kind)
        self._text.append(text)
        extras: Item = {"logprobs": []} if kind == "message" else {}
        yield self._event(f"{self._part_events}.delta", **self._place(), delta=text, **extras)

    def _begin(self, kind: str) -> Generator[dict[str, Any], None, None]:
        self._open, self._text = kind, []
        item = {**self._item(), "status": "in_progress", "content": []}
        yield self._event("response.output_item.added", output_index=len(self._output), item=item)
        yield self._event("response.content_part.added", **self._place(), part=self._item()["content"][0])

    def _end(self) -> Generator[dict[str, Any], None, None]:
        if not self._open:
            return
        item = self._item()
        [part] = item["content"]
        extras: Item = {"logprobs": []} if self._open == "message" else {}
        yield self._event(f"{self._part_events}.done", **self._place(), text=part["text"], **extras)
        yield self._event("response.content_part.done", **self._place(), part=part)
        yield self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        self._open = ""

    def _calls(self, chunk: ChatChunk) -> Generator[dict[str, Any], None, None]:
        if not chunk.tool_calls:
            return
        yield from self._end()
        for item in _call_items(self._run, chunk.tool_calls, len(self._output)):
            place = {"output_index": len(self._output)}
            begun = {**item, "status": "in_progress", "arguments": ""}
            written = {"item_id": item["id"], **place}
            yield self._event("response.output_item.added", **place, item=begun)
            yield self._event("response.function_call_arguments.delta", **written, delta=item["arguments"])
            yield self._event(
                "response.function_call_arguments.done", **written, name=item["name"], arguments=item["arguments"]
            )
            yield self._event("response.output_item.done", **place, item=item)
            self._output.append(item)

    @property
    def _part_events(self) -> str:
        return "response.output_text" if self._open == "message" else "response.reasoning_text"

    def _item(self) -> Item:
        make = _message_item if self._open == "message" else _reasoning_item
        return make(self._run, len(self._output), "".join(self._text))

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._item()["id"], "output_index": len(self._output), "content_index": 0}


def failure(error: BaseException) -> dict[str, Any]:
    """Return the event of an error, in OpenAI's words; its SDKs raise what stands under ``error``."""
    said = error_body(error)["error"]
    return {"type": "error", **{name: said[name] for name in ("code", "message", "param")}, "error": said}
