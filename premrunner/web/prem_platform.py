"""The lists that clients of Prem's old platform (0.3) read: the paths of ours with a slash behind."""

import orjson
from flask import Blueprint, Response, jsonify, request

from premrunner.records import Trace
from premrunner.web import prem_legacy
from premrunner.web.caller import access_key
from premrunner.web.engine_guard import require_engine
from premrunner.web.operation import operation
from premrunner.web.parsing import LONGEST_PAGE, page_number
from premrunner.web.services import services
from premrunner.web.traces import LAST_PAGE

models = Blueprint("v1_models_legacy", __name__)
traces = Blueprint("traces_legacy", __name__)


@models.get("/models/")
@operation(answer="LegacyModels")
def list_models() -> Response:
    """List the models as a bare array, for Prem's old SDK."""
    return jsonify(
        [prem_legacy.legacy_model(model) for model in services().catalog.listed(access_key()) if model.is_ready]
    )


@models.get("/models/<model:model_id>/")
@operation(answer="LegacyModel")
def show_model(model_id: str) -> Response:
    """Show one model, for Prem's old SDK."""
    require_engine()
    return jsonify(prem_legacy.legacy_model(services().catalog.resolve(model_id, access_key())))


@traces.get("/traces/")
@operation(answer="LegacyTraces")
def list_traces() -> Response:
    """List the calls as a bare array, newest first, for Prem's old SDK."""
    page, _ = services().tracing.numbered_page(
        page_number(request, "page", 1, LAST_PAGE), page_number(request, "limit", LONGEST_PAGE, LONGEST_PAGE)
    )
    return jsonify([prem_legacy.legacy_trace(trace) for trace in page.traces])


@traces.get("/traces/<trace_id>/")
@operation(answer="LegacyTrace")
def show_trace(trace_id: str) -> Response:
    """Show one call, for Prem's old SDK."""
    trace = services().tracing.get(trace_id)
    return jsonify(prem_legacy.legacy_trace_detail(trace, _messages(trace)))


def _messages(trace: Trace) -> list[dict[str, str]]:
    sent = orjson.loads(trace.input)
    said = [
        {"role": str(message.get("role", "user")), "content": _text(message.get("content"))}
        for message in (sent if isinstance(sent, list) else [])
        if isinstance(message, dict)
    ]
    return [*said, {"role": "assistant", "content": trace.output}] if trace.output else said


def _text(content: object) -> str:
    return content if isinstance(content, str) else orjson.dumps(content).decode()
