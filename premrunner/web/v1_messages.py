"""Anthropic's Messages, by the same engine path and traced alike."""

from flask import Blueprint, Response, g, jsonify, request

from premrunner.web import sse
from premrunner.web.caller import caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.errors import answer_error
from premrunner.web.operation import operation
from premrunner.web.parsing import json_object
from premrunner.web.services import services
from premrunner.web.wire import messages_reply
from premrunner.web.wire.messages_request import PARAMETERS, parse_message

bp = Blueprint("v1_messages", __name__)
bp.before_request(require_engine)

FRAMING = sse.Framing(write=sse.typed_event, failure=messages_reply.failure, ending=lambda _: ())


@bp.post("/messages")
@operation(PARAMETERS, answer="Message", streams="MessageEvent")
def create_message() -> Response:
    """Answer a conversation in Anthropic's shape, whole or as server-sent events."""
    call = parse_message(json_object(request))
    chat = services().chat
    run = chat.open(call, caller())
    if call.is_stream:
        return sse.event_stream(run, messages_reply.events, FRAMING)
    return jsonify(messages_reply.message(run, sse.complete(chat, run)))


@bp.errorhandler(Exception)
def answer_failure(error: Exception) -> Response:
    """Answer with an error in Anthropic's shape."""
    response = answer_error(error)
    response.set_data(jsonify({**messages_reply.failure(error), "request_id": g.get("request_id")}).get_data())
    return response
