"""Answers in the shape of OpenAI's ``text_completion``, as pure functions of what the engine said."""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from itertools import accumulate
from typing import Any

from premrunner.domain.chat import Answer, ChatRun
from premrunner.web.wire.completion_request import CompletionWish
from premrunner.web.wire.openai_reply import wire_usage


def completion(run: ChatRun, answer: Answer, wish: CompletionWish) -> dict[str, Any]:
    """Return a whole answer."""
    logprobs = _logprobs(answer.logprobs, len(wish.prefix))
    choice = _choice(wish.prefix + answer.text, answer.finish_reason, logprobs)
    return {**_frame(run), "choices": [choice], "usage": wire_usage(answer.usage)}


def chunks(run: ChatRun, wish: CompletionWish) -> Generator[dict[str, Any], None, None]:
    """Yield an answer in pieces; the last has the finish reason, and after it come the counts if asked for."""
    frame = _frame(run)
    prefix, offset = wish.prefix, len(wish.prefix)
    with closing(run.chunks()) as said:
        for chunk in said:
            logprobs = _logprobs(chunk.logprobs, offset)
            offset += len(chunk.content)
            yield {**frame, "choices": [_choice(prefix + chunk.content, chunk.finish_reason, logprobs)]}
            prefix = ""
    if wish.include_usage:
        yield {**frame, "choices": [], "usage": wire_usage(run.answer.usage)}


def _frame(run: ChatRun) -> dict[str, Any]:
    return {
        "id": f"cmpl-{run.id}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": run.model_id,
    }


def _choice(text: str, finish_reason: str | None, logprobs: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}


def _logprobs(items: Sequence[Mapping[str, Any]], offset: int) -> dict[str, Any] | None:
    """Return log probabilities in the columns that this older wire has, or None when there are none."""
    if not items:
        return None
    tokens = [item.get("token", "") for item in items]
    *offsets, _ = accumulate(map(len, tokens), initial=offset)
    return {
        "tokens": tokens,
        "token_logprobs": [item.get("logprob", 0.0) for item in items],
        "top_logprobs": [
            {other.get("token", ""): other.get("logprob", 0.0) for other in item.get("top_logprobs") or ()}
            for item in items
        ],
        "text_offset": offsets,
    }
