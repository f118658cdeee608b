"""OpenAI's chat completions, under ``/v1`` and, for Prem's SDK, ``/api/v1``."""

from functools import partial

from flask import Blueprint, Response, jsonify, request

from premrunner.web import openai_reply, sse
from premrunner.web.caller import caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.openai_request import parse_chat
from premrunner.web.parsing import json_object
from premrunner.web.services import services

bp = Blueprint("v1_chat", __name__)
bp.before_request(require_engine)


@bp.post("/chat/completions")
def create_completion() -> Response:
    """Answer a chat, whole or as server-sent events."""
    call, include_usage = parse_chat(json_object(request))
    chat = services().chat
    run = chat.open(call, caller())
    if call.is_stream:
        return sse.event_stream(run, partial(openai_reply.chunks, include_usage=include_usage))
    return jsonify(openai_reply.completion(run, sse.complete(chat, run)))
