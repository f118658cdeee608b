"""The original's chat: one message in, one answer out, and the history of both."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.chat import ChatCall
from premrunner.records import ChatRequest, MessageRecord
from premrunner.web import parsing, sse
from premrunner.web.caller import caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.services import services

bp = Blueprint("simple_chat", __name__)


@bp.post("/api/chat/send")
def send() -> Response:
    """Answer one message and keep both."""
    require_engine()
    body = parsing.json_object(request)
    question = parsing.text("message", body.get("message"))
    messages = [{"role": "user", "content": question}]
    chat = services().chat
    run = chat.open(ChatCall(ChatRequest(_model_name(body), messages), messages), caller())
    sse.complete(chat, run)
    exchange = services().history.keep(question, run)
    return jsonify(userMessage=_shape(exchange.user), assistantMessage=_shape(exchange.assistant))


@bp.get("/api/chat/history")
def show_history() -> Response:
    """List the newest messages, oldest of them first."""
    messages = services().history.latest()
    return jsonify(messages=[{**_shape(message), "createdAt": message.created_at.isoformat()} for message in messages])


@bp.delete("/api/chat/history")
def clear_history() -> Response:
    """Delete every message."""
    services().history.clear()
    return jsonify(success=True)


def _model_name(body: Any) -> str:
    """Return the model that was asked for, else the newest."""
    if body.get("model") is not None:
        return parsing.text("model", body["model"])
    return services().catalog.default().model_id


def _shape(message: MessageRecord) -> dict[str, Any]:
    return {"id": message.id, "content": message.content, "role": message.role, "model": message.model}
