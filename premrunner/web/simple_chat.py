"""The original's chat: one message in, one answer out, and the history of both."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.chat import ChatCall
from premrunner.records import ChatRequest, MessageRecord
from premrunner.web import parsing, sse
from premrunner.web.caller import caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.operation import operation
from premrunner.web.parsing import Parameter
from premrunner.web.services import services

bp = Blueprint("simple_chat", __name__)

PARAMETERS = (
    Parameter("message", parsing.text, meaning="What to answer.", is_required=True),
    Parameter("model", parsing.text, meaning="The model; the newest if not given."),
)


@bp.post("/api/chat/send")
@operation(PARAMETERS, answer="SimpleExchange")
def send() -> Response:
    """Answer one message and keep both."""
    require_engine()
    wanted = parsing.fields(PARAMETERS, parsing.json_object(request))
    model_name = wanted.get("model") or services().catalog.default().model_id
    messages = [{"role": "user", "content": wanted["message"]}]
    chat = services().chat
    run = chat.open(ChatCall(ChatRequest(model_name, messages), messages), caller())
    sse.complete(chat, run)
    exchange = services().history.keep(wanted["message"], run)
    return jsonify(userMessage=_shape(exchange.user), assistantMessage=_shape(exchange.assistant))


@bp.get("/api/chat/history")
@operation(answer="SimpleMessages")
def show_history() -> Response:
    """List the newest messages, oldest of them first."""
    messages = services().history.latest()
    return jsonify(messages=[{**_shape(message), "createdAt": message.created_at.isoformat()} for message in messages])


@bp.delete("/api/chat/history")
@operation(answer="Success")
def clear_history() -> Response:
    """Delete every message."""
    services().history.clear()
    return jsonify(success=True)


def _shape(message: MessageRecord) -> dict[str, Any]:
    return {"id": message.id, "content": message.content, "role": message.role, "model": message.model}
