"""OpenAI's Responses, in the form where every request brings its whole conversation."""

from flask import Blueprint, Response, jsonify, request

from premrunner.web import sse
from premrunner.web.caller import caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.operation import operation
from premrunner.web.parsing import json_object
from premrunner.web.services import services
from premrunner.web.wire import responses_reply
from premrunner.web.wire.responses_request import PARAMETERS, parse_response

bp = Blueprint("v1_responses", __name__)
bp.before_request(require_engine)

FRAMING = sse.Framing(write=sse.typed_event, failure=responses_reply.failure, ending=lambda _: ())


@bp.post("/responses")
@operation(PARAMETERS, answer="Response", streams="ResponseEvent")
def create_response() -> Response:
    """Answer a conversation of items, whole or as server-sent events; nothing is kept for a next request."""
    body = json_object(request)
    call = parse_response(body)
    chat = services().chat
    run = chat.open(call, caller())
    if call.is_stream:
        return sse.event_stream(run, lambda run: responses_reply.ResponseEvents(run, body).all(), FRAMING)
    return jsonify(responses_reply.response(run, sse.complete(chat, run), body))
