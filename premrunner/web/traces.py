"""The recorded calls, in the original's shape and with what we add: list, show, judge, delete."""

from typing import Any

import orjson
from flask import Blueprint, Response, jsonify, request

from premrunner.domain.tracing import Place, TracePage
from premrunner.errors import InvalidRequest
from premrunner.records import Feedback, Trace
from premrunner.web import parsing
from premrunner.web.operation import operation
from premrunner.web.parsing import LONGEST_PAGE, Parameter, json_object, page_number
from premrunner.web.services import services
from premrunner.web.trace_filter import FILTER, trace_filter

bp = Blueprint("traces", __name__)

# The database walks an index to reach a page; nobody reads past this one.
LAST_PAGE = 1_000_000
LONGEST_TEXT = 100_000

QUERY = (
    Parameter("page", parsing.integer(1, LAST_PAGE), meaning="Number of the page, from 1; only without a filter."),
    Parameter("limit", parsing.integer(1, LONGEST_PAGE), meaning="Calls a page; 20 if not given."),
    Parameter("before", parsing.any_text, meaning="Only calls older than the one with this id: `next` of a page."),
    Parameter("after", parsing.any_text, meaning="Only calls newer than the one with this id, the page next to it."),
    *FILTER,
)
JUDGEMENT = (
    Parameter("rating", parsing.integer(-1, 1), meaning="1 for a good answer, -1 for a bad one, 0 for neither."),
    Parameter("note", parsing.any_text, meaning="What is to be said of the answer."),
    Parameter("correction", parsing.any_text, meaning="The answer as it should have been; empty for none."),
)
EVERYTHING = Parameter("all", parsing.choice("true"), meaning="Needed to delete every call, without a filter.")


@bp.get("/traces")
@operation(answer="Traces", query=QUERY)
def list_traces() -> Response:
    """List the calls, newest first."""
    limit = page_number(request, "limit", 20, LONGEST_PAGE)
    number = page_number(request, "page", 1, LAST_PAGE)
    place, wanted, tracing = place_of(request.args), trace_filter(request.args), services().tracing
    if place == Place() and wanted == trace_filter({}):
        page, total = tracing.numbered_page(number, limit)
    elif "page" in request.args:
        raise InvalidRequest("'page' counts all calls. With a filter go on with 'before'.", param="page")
    else:
        page, total = tracing.page(wanted, place, limit), tracing.count(wanted)
    return jsonify(_list(page, total, number, limit))


@bp.get("/traces/<trace_id>")
@operation(answer="Trace")
def show_trace(trace_id: str) -> Response:
    """Show one call with everything that was said."""
    return jsonify(_whole(services().tracing.get(trace_id)))


@bp.patch("/traces/<trace_id>")
@operation(JUDGEMENT, answer="Trace")
def judge_trace(trace_id: str) -> Response:
    """Rate an answer, note something to it, or correct it; what is not given stays."""
    tracing = services().tracing
    given = parsing.fields(JUDGEMENT, json_object(request))
    known = tracing.feedback([trace_id]).get(trace_id, Feedback())
    tracing.judge(trace_id, checked_feedback(Feedback(**{**_judgement(known), **given})))
    return show_trace(trace_id)


@bp.delete("/traces/<trace_id>")
@operation(answer="TracesDeleted")
def delete_trace(trace_id: str) -> Response:
    """Delete one call."""
    services().trace_retention.delete(trace_id)
    return jsonify(deleted=1)


@bp.delete("/traces")
@operation(answer="TracesDeleted", query=(*FILTER, EVERYTHING))
def delete_traces() -> Response:
    """Delete the calls that a filter means; calls that begin meanwhile stay."""
    wanted = trace_filter(request.args)
    if wanted == trace_filter({}) and request.args.get("all") != "true":
        raise InvalidRequest("Without a filter this deletes every call. If that is meant, add 'all=true'.", param="all")
    services().tracing.settle()
    return jsonify(deleted=services().trace_retention.delete_all(wanted))


def place_of(query: Any) -> Place:
    """Return where a page begins, as a query string says it.

    Raises:
        InvalidRequest: It says both.
    """
    before, after = query.get("before", ""), query.get("after", "")
    if before and after:
        raise InvalidRequest("Give 'before' or 'after', not both.", param="after")
    return Place(before, after)


def checked_feedback(feedback: Feedback) -> Feedback:
    """Return what a person says of an answer if it is not too long.

    Raises:
        InvalidRequest: It is.
    """
    for name in ("note", "correction"):
        if len(getattr(feedback, name)) > LONGEST_TEXT:
            raise InvalidRequest(f"'{name}' may have {LONGEST_TEXT:,} characters.", param=name)
    return feedback


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
        "preview": trace.preview,
        "replayOf": trace.replay_of,
    }


def _list(page: TracePage, total: int, number: int, limit: int) -> dict[str, Any]:
    traces = page.traces
    return {
        "traces": [trace_summary(trace) for trace in traces],
        "total": total,
        "page": number,
        "limit": limit,
        "pages": -(-total // limit),
        "next": traces[-1].id if traces and page.has_older else None,
        "previous": traces[0].id if traces and page.has_newer else None,
    }


def _whole(trace: Trace) -> dict[str, Any]:
    feedback = services().tracing.feedback([trace.id]).get(trace.id, Feedback())
    return {
        **trace_summary(trace),
        "input": trace.input,
        "output": trace.output,
        "thinking": trace.thinking,
        "toolCalls": orjson.loads(trace.tool_calls) if trace.tool_calls else [],
        "parameters": orjson.loads(trace.parameters),
        "ignored": orjson.loads(trace.ignored),
        "feedback": _judgement(feedback),
    }


def _judgement(feedback: Feedback) -> dict[str, Any]:
    return {"rating": feedback.rating, "note": feedback.note, "correction": feedback.correction}
