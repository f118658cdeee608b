"""OpenAI's chat completions, under ``/v1`` and, for Prem's SDK, ``/api/v1``; a field tells Prem's old clients."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.web import prem_legacy, sse
from premrunner.web.caller import access_key, caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.operation import operation
from premrunner.web.parsing import json_object
from premrunner.web.services import services
from premrunner.web.wire import openai_reply
from premrunner.web.wire.openai_request import PARAMETERS, parse_chat

bp = Blueprint("v1_chat", __name__)
bp.before_request(require_engine)


@bp.post("/chat/completions")
@operation(PARAMETERS, answer="ChatCompletion", streams="ChatCompletionChunk")
def create_completion() -> Response:
    """Answer a chat, whole or as server-sent events."""
    body = json_object(request)
    if prem_legacy.is_legacy(body):
        return _legacy_completion(body)
    call, include_usage = parse_chat(body)
    chat = services().chat
    run = chat.open(call, caller())
    if call.is_stream:
        return sse.event_stream(run, partial(openai_reply.chunks, include_usage=include_usage))
    return jsonify(openai_reply.completion(run, sse.complete(chat, run)))


def _legacy_completion(body: Mapping[str, Any]) -> Response:
    default_model = "" if body.get("model") else services().catalog.default(access_key()).model_id
    call, _ = parse_chat(prem_legacy.as_openai(body, default_model))
    chat = services().chat
    run = chat.open(call, caller())
    if call.is_stream:
        return sse.event_stream(run, prem_legacy.chunks, prem_legacy.FRAMING)
    return jsonify(prem_legacy.completion(run, sse.complete(chat, run)))
