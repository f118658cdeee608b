"""The chat page, and the stream of rendered text that it shows."""

import time
from collections.abc import Generator
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from premrunner.domain.chat import ChatRun
from premrunner.web import sse
from premrunner.web.caller import caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.pages.markdown import GrowingMarkdown
from premrunner.web.pages.setup import known_models
from premrunner.web.parsing import json_object
from premrunner.web.services import services
from premrunner.web.wire.openai_request import parse_chat

bp = Blueprint("chat", __name__)

# Nobody reads faster; rendering, and the browser's layout, cost less so.
LEAST_INTERVAL_SECONDS = 0.08
# A long open block is drawn less often, so that one stream takes at most a 25th of the process's time.
COST_FACTOR = 25

FIRST_PROMPTS = (
    "What is the capital of France?",
    "Explain what a language model is, in three sentences.",
    "Write a Python function that reverses a string.",
    "Give me three names for a coffee shop by the sea.",
)


@bp.get("/")
def show() -> str:
    """Show the chat."""
    return render_template(
        "chat.html", models=known_models(), starter=services().starter.progress(), first_prompts=FIRST_PROMPTS
    )


@bp.post("/chat/stream")
def stream() -> Response:
    """Answer a conversation as events with HTML; the body is that of ``POST /v1/chat/completions``."""
    require_engine()
    call, _ = parse_chat({**json_object(request), "stream": True})
    run = services().chat.open(call, caller())
    trace_url = url_for("ui.traces.show", trace_id=run.id)
    return sse.event_stream(run, lambda run: rendered(run, trace_url), sse.UNENDED)


def rendered(run: ChatRun, trace_url: str) -> Generator[dict[str, Any], None, None]:
    """Yield what the page shall show.

    First the trace's address; then, a few times a second, the new ``text`` and ``thinking`` as they came, the HTML that
    has ``settled`` since the last event, and the HTML that is still ``open`` and replaces the one before; then the
    numbers.
    """
    drawing = GrowingMarkdown()
    text, thinking = "", ""
    next_at, is_first = 0.0, True
    for chunk in run.chunks():
        if is_first:
            yield {"trace": trace_url}
            is_first = False
        text += chunk.content
        thinking += chunk.thinking
        started_at = time.perf_counter()
        if (text or thinking) and (started_at >= next_at or chunk.finish_reason is not None):
            settled, still_open = drawing.add(text)
            yield {"text": text, "thinking": thinking, "settled": settled, "open": still_open}
            text, thinking = "", ""
            cost_seconds = time.perf_counter() - started_at
            next_at = started_at + max(LEAST_INTERVAL_SECONDS, COST_FACTOR * cost_seconds)
    yield {"end": _numbers(run)}


def _numbers(run: ChatRun) -> dict[str, Any]:
    usage = run.answer.usage
    return {
        "finishReason": run.answer.finish_reason,
        "promptTokens": usage.prompt_tokens,
        "completionTokens": usage.completion_tokens,
        "tokensPerSecond": usage.tokens_per_second,
        "ttftMs": run.ttft_ms,
        "toolCalls": [call.get("function", {}).get("name", "") for call in run.answer.tool_calls],
    }
