"""The recorded calls, in the original's shape and with what we add."""

from typing import Any

import orjson
from flask import Blueprint, Response, jsonify, request

from premrunner.records import Trace
from premrunner.web import parsing
from premrunner.web.operation import operation
from premrunner.web.parsing import LONGEST_PAGE, Parameter, page_number
from premrunner.web.services import services

bp = Blueprint("traces", __name__)

# SQLite walks an index to reach a page; nobody reads past this one.
LAST_PAGE = 1_000_000

QUERY = (
    Parameter("page", parsing.integer(1, LAST_PAGE), meaning="Number of the page, from 1."),
    Parameter("limit", parsing.integer(1, LONGEST_PAGE), meaning="Calls a page; 20 if not given."),
)


@bp.get("/traces")
@operation(answer="Traces", query=QUERY)
def list_traces() -> Response:
    """List the calls, newest first."""
    page = services().tracing.page(
        page_number(request, "page", 1, LAST_PAGE), page_number(request, "limit", 20, LONGEST_PAGE)
    )
    return jsonify(
        traces=[trace_summary(trace) for trace in page.traces],
        total=page.total,
        page=page.page,
        limit=page.limit,
        pages=page.pages,
    )


@bp.get("/traces/<trace_id>")
@operation(answer="Trace")
def show_trace(trace_id: str) -> Response:
    """Show one call with everything that was said."""
    trace = services().tracing.get(trace_id)
    return jsonify(
        {
            **trace_summary(trace),
            "input": trace.input,
            "output": trace.output,
            "thinking": trace.thinking,
            "toolCalls": orjson.loads(trace.tool_calls) if trace.tool_calls else [],
            "parameters": orjson.loads(trace.parameters),
            "ignored": orjson.loads(trace.ignored),
        }
    )


def trace_summary(trace: Trace) -> dict[str, Any]:
    """Return what a list shows of a call; ``duration`` is in milliseconds."""
    return {
        "id": trace.id,
        "model": trace.model,
        "promptTokens": trace.prompt_tokens,
        "completionTokens": trace.completion_tokens,
        "totalTokens": trace.total_tokens,
        "duration": trace.duration,
        "createdAt": trace.created_at.isoformat(),
        "status": trace.status,
        "error": trace.error,
        "finishReason": trace.finish_reason,
        "endpoint": trace.endpoint,
        "stream": trace.is_stream,
        "ttftMs": trace.ttft_ms,
        "queuedMs": trace.queued_ms,
        "loadMs": trace.load_ms,
        "prefillMs": trace.prefill_ms,
        "decodeMs": trace.decode_ms,
        "tokensPerSecond": trace.tokens_per_second,
        "client": trace.client,
        "keyName": trace.key_name,
    }
