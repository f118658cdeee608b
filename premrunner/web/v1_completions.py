"""OpenAI's completions: a text that goes on, or a gap that is filled, without any chat template."""

from functools import partial

from flask import Blueprint, Response, jsonify, request

from premrunner.web import sse
from premrunner.web.caller import caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.operation import operation
from premrunner.web.parsing import json_object
from premrunner.web.services import services
from premrunner.web.wire import completion_reply
from premrunner.web.wire.completion_request import PARAMETERS, parse_completion

bp = Blueprint("v1_completions", __name__)
bp.before_request(require_engine)


@bp.post("/completions")
@operation(PARAMETERS, answer="Completion", streams="CompletionChunk")
def create_completion() -> Response:
    """Continue a text, or fill the gap before a suffix, whole or as server-sent events."""
    wish = parse_completion(json_object(request))
    chat = services().chat
    run = chat.open(wish.call, caller())
    if wish.call.is_stream:
        return sse.event_stream(run, partial(completion_reply.chunks, wish=wish))
    return jsonify(completion_reply.completion(run, sse.complete(chat, run), wish))
