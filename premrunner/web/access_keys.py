"""The access keys, for their owner: list, make, revoke. Keys themselves may do none of it."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.errors import InvalidRequest
from premrunner.records import AccessKey
from premrunner.web import parsing
from premrunner.web.operation import operation
from premrunner.web.parsing import Check, Parameter, json_object
from premrunner.web.services import services

bp = Blueprint("access_keys", __name__)

# More than any machine reads in a day; what is larger is a slip of the finger.
LARGEST_LIMIT = 10**12
MODELS_MOST = 1000


def _model_names(name: str, value: Any) -> list[str]:
    names = parsing.sequence(name, value)
    if len(names) > MODELS_MOST:
        raise InvalidRequest(f"'{name}' may hold {MODELS_MOST} models.", param=name)
    return [parsing.text(f"{name}[{index}]", item) for index, item in enumerate(names)]


model_names = Check(_model_names, {"type": "array", "items": {"type": "string"}, "maxItems": MODELS_MOST})

PARAMETERS = (
    Parameter("name", parsing.text, meaning="What traces call it.", is_required=True),
    Parameter("models", model_names, meaning="Those it may call; none for all."),
    Parameter("requestsPerMinute", parsing.integer(1, 10**6), meaning="Requests it may send in a minute."),
    Parameter("tokensPerDay", parsing.integer(1, LARGEST_LIMIT), meaning="Tokens it may use from midnight UTC."),
)


@bp.get("/keys")
@operation(answer="AccessKeys")
def list_keys() -> Response:
    """List the access keys, newest first."""
    return jsonify(keys=[_shape(key) for key in services().keys.all()])


@bp.post("/keys")
@operation(PARAMETERS, answer="AccessKey")
def create_key() -> Response:
    """Make an access key; the answer is the only one that ever shows it."""
    wanted = parsing.fields(PARAMETERS, json_object(request))
    made = services().keys.create(
        wanted["name"],
        models=wanted.get("models", ()),
        requests_per_minute=wanted.get("requestsPerMinute"),
        tokens_per_day=wanted.get("tokensPerDay"),
    )
    return jsonify({**_shape(made.key), "key": made.secret})


@bp.delete("/keys/<key_id>")
@operation(answer="AccessKey")
def revoke_key(key_id: str) -> Response:
    """Revoke an access key, by its id or name; it ends at once."""
    return jsonify(_shape(services().keys.revoke(key_id)))


def _shape(key: AccessKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "models": list(key.models),
        "requestsPerMinute": key.requests_per_minute,
        "tokensPerDay": key.tokens_per_day,
        "createdAt": key.created_at.isoformat(),
        "lastUsedAt": key.last_used_at.isoformat() if key.last_used_at else None,
    }
