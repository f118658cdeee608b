"""Answers in the shape of OpenAI's chat completions, as pure functions of what the engine said."""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

from premrunner.domain.chat import Answer, ChatRun
from premrunner.records import ChatChunk, Usage
from premrunner.web.wire.openai_messages import wire_tool_calls


def completion(run: ChatRun, answer: Answer) -> dict[str, Any]:
    """Return a whole answer as a ``chat.completion``."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.thinking:
        message["reasoning_content"] = answer.thought
    if answer.tool_calls:
        message["tool_calls"] = [_without_index(call) for call in wire_tool_calls(answer.tool_calls)]
        message["content"] = answer.text or None
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "tool_calls" if answer.tool_calls else answer.finish_reason,
        "logprobs": wire_logprobs(answer.logprobs),
    }
    return {
        "id": f"chatcmpl-{run.id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": run.model_id,
        "choices": [choice],
        "usage": wire_usage(answer.usage),
    }


def chunks(run: ChatRun, include_usage: bool) -> Generator[dict[str, Any], None, None]:
    """Yield an answer as ``chat.completion.chunk`` objects.

    The first carries the role, the one before the last the finish reason; counts come only if asked for, because
    clients that read ``choices[0]`` of every chunk fail on that one.

    Args:
        run: The call, not yet begun.
        include_usage: Whether to end with the token counts.
    """
    frame = {
        "id": f"chatcmpl-{run.id}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": run.model_id,
    }
    is_first, calls = True, 0
    with closing(run.chunks()) as said:
        for chunk in said:
            if is_first:
                yield {**frame, "choices": [_choice({"role": "assistant", "content": ""})]}
                is_first = False
            delta = _delta(chunk, calls)
            calls += len(chunk.tool_calls)
            if delta:
                yield {**frame, "choices": [_choice(delta, logprobs=wire_logprobs(chunk.logprobs))]}
            if chunk.finish_reason is not None:
                reason = "tool_calls" if calls else chunk.finish_reason
                yield {**frame, "choices": [_choice({"content": ""}, reason)]}
    if include_usage:
        yield {**frame, "choices": [], "usage": wire_usage(run.answer.usage)}


def _delta(chunk: ChatChunk, calls_before: int) -> dict[str, Any]:
    delta: dict[str, Any] = {}
    if chunk.thinking:
        delta["reasoning_content"] = chunk.thinking
    if chunk.content:
        delta["content"] = chunk.content
    if chunk.tool_calls:
        delta["tool_calls"] = wire_tool_calls(chunk.tool_calls, calls_before)
    return delta


def _choice(
    delta: Mapping[str, Any], finish_reason: str | None = None, logprobs: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}


def wire_usage(usage: Usage) -> dict[str, int]:
    """Return token counts as OpenAI names them."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def wire_logprobs(items: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the engine's log probabilities as OpenAI's, or None when there are none."""
    if not items:
        return None
    return {
        "content": [
            {**_logprob(item), "top_logprobs": [_logprob(other) for other in item.get("top_logprobs") or ()]}
            for item in items
        ]
    }


def _logprob(item: Mapping[str, Any]) -> dict[str, Any]:
    token = item.get("token", "")
    return {"token": token, "logprob": item.get("logprob", 0.0), "bytes": item.get("bytes") or list(token.encode())}


def _without_index(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call.items() if name != "index"}
