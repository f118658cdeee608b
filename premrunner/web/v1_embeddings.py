"""OpenAI's embeddings: texts as vectors."""

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.chat import Answer, ChatCall, ChatRun
from premrunner.errors import InvalidRequest
from premrunner.records import EmbeddingRequest
from premrunner.web import parsing, prem_legacy, sse
from premrunner.web.caller import caller
from premrunner.web.engine_guard import require_engine
from premrunner.web.operation import operation
from premrunner.web.parsing import Check, Parameter, json_object
from premrunner.web.services import services
from premrunner.web.wire import sampling

bp = Blueprint("v1_embeddings", __name__)
bp.before_request(require_engine)

# OpenAI's own limit; each text is one pass of the model.
TEXTS_MOST = 2048


def _texts(name: str, value: Any) -> Sequence[str]:
    texts = [value] if isinstance(value, str) else parsing.sequence(name, value)
    if any(isinstance(item, int | list) and not isinstance(item, bool) for item in texts):
        raise InvalidRequest(
            f"'{name}' holds token ids, which mean something else to every model: send texts. "
            "In LangChain that is OpenAIEmbeddings(check_embedding_ctx_length=False).",
            param=name,
        )
    if not 0 < len(texts) <= TEXTS_MOST:
        raise InvalidRequest(f"'{name}' must hold 1 to {TEXTS_MOST} texts.", param=name)
    for index, item in enumerate(texts):
        if not isinstance(item, str) or not item:
            raise InvalidRequest(f"'{name}[{index}]' must be a text that is not empty.", param=name)
    return texts


TEXT = {"type": "string", "minLength": 1}
texts = Check(_texts, {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1, "maxItems": TEXTS_MOST}]})

PARAMETERS = (
    sampling.MODEL,
    Parameter("input", texts, meaning="A text, or a list of texts.", is_required=True),
    Parameter("encoding_format", parsing.choice("float", "base64"), meaning="`float`, or `base64` of float32."),
    Parameter("dimensions", parsing.integer(1, 65_536), meaning="Length of the vectors, where the model can."),
    sampling.KEEP_ALIVE,
)


@bp.post("/embeddings")
@operation(PARAMETERS, answer="EmbeddingList")
def create_embeddings() -> Response:
    """Turn texts into vectors of length 1."""
    body = json_object(request)
    checked = parsing.fields(PARAMETERS, body)
    chat = services().chat
    run = chat.open(_call(checked, body), caller())
    answer = embedding_list(run, sse.complete(chat, run), checked.get("encoding_format") == "base64")
    return jsonify({**answer, **prem_legacy.provider(body)})


def _call(checked: Mapping[str, Any], body: Mapping[str, Any]) -> ChatCall:
    return ChatCall(
        request=EmbeddingRequest(
            checked["model"], checked["input"], checked.get("dimensions"), checked.get("keep_alive")
        ),
        sent=body["input"],
        parameters={name: value for name, value in body.items() if name != "input"},
        ignored=parsing.without_effect(PARAMETERS, body),
    )


def embedding_list(run: ChatRun, answer: Answer, is_base64: bool) -> dict[str, Any]:
    """Return vectors as OpenAI lists them."""
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _base64(vector) if is_base64 else vector}
            for index, vector in enumerate(answer.vectors)
        ],
        "model": run.model_id,
        "usage": {"prompt_tokens": answer.usage.prompt_tokens, "total_tokens": answer.usage.prompt_tokens},
    }


def _base64(vector: Sequence[float]) -> str:
    """Return a vector as OpenAI's SDKs ask for it by default: little-endian float32."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
