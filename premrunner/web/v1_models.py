"""The models that can be called, for OpenAI's SDKs and the original's page alike."""

from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.catalog import CatalogModel
from premrunner.records import ModelRecord
from premrunner.web.caller import access_key
from premrunner.web.engine_guard import require_engine
from premrunner.web.model_management import status_shape
from premrunner.web.operation import operation
from premrunner.web.services import services

bp = Blueprint("v1_models", __name__)


@bp.get("/models")
@operation(answer="Models")
def list_models() -> Response:
    """List the models: OpenAI's ``data``, and the original's ``models`` beside it."""
    models = services().catalog.listed(access_key())
    return jsonify(
        object="list",
        data=[openai_model(model) for model in models if model.is_ready],
        models=[original_model(model, model.record) for model in models if model.record],
    )


@bp.get("/models/<model:model_id>")
@operation(answer="Model")
def show_model(model_id: str) -> Response:
    """Show one model, by alias, id or engine name; names may hold slashes."""
    require_engine()
    return jsonify(openai_model(services().catalog.resolve(model_id, access_key())))


@bp.delete("/models/<model:model_id>")
@operation(answer="ModelDeleted")
def delete_model(model_id: str) -> Response:
    """Unload a model and delete it; the answer is OpenAI's and the original's in one."""
    is_foreign_allowed = request.args.get("foreign") == "true"
    deletion = services().model_changes.delete(model_id, is_foreign_allowed=is_foreign_allowed)
    message = "Model deleted successfully"
    return jsonify(id=deletion.model_id, object="model", deleted=True, message=message, freedBytes=deletion.freed_bytes)


@bp.get("/models/<model_id>/status")
@operation(answer="ModelStatus")
def show_status(model_id: str) -> Response:
    """Tell whether a model can be used."""
    view = services().imports.find(model_id)
    if view is not None:
        is_gone = view.record.status == "ready" and services().catalog.is_gone(model_id)
        return jsonify(status_shape(view, is_gone=is_gone))
    report = services().handover.report(model_id)
    if report is not None:
        return jsonify(
            id=model_id, name=report.name, alias=None, imported=False, status=report.status, message=report.message
        )
    model = services().catalog.ours(model_id)
    return jsonify(
        id=model_id,
        name=model.name,
        alias=model.model_id,
        imported=model.is_ready,
        status=_status_of(model, model_id),
    )


def _status_of(model: CatalogModel, model_id: str) -> str:
    """Return the original's word for a model that no import brought."""
    if model.is_ready:
        return "ready"
    return "failed" if services().catalog.is_gone(model_id) else "importing"


def openai_model(model: CatalogModel) -> dict[str, Any]:
    """Return a model as OpenAI lists it, under the id that chat accepts."""
    return {
        "id": model.model_id,
        "object": "model",
        "created": _seconds(model),
        "owned_by": "user" if model.record else "engine",
        "permission": [],
        "root": model.name,
        "parent": None,
    }


def original_model(model: CatalogModel, record: ModelRecord) -> dict[str, Any]:
    """Return one of our models as the original lists it."""
    return {
        "id": record.id,
        "name": model.name,
        "alias": model.model_id,
        "size": record.size_bytes,
        "uploadedAt": record.created_at.isoformat(),
        "active": model.is_ready,
    }


def _seconds(model: CatalogModel) -> int:
    """Return when a model came, in seconds since 1970; 0 where the engine does not say."""
    if model.record:
        return int(model.record.created_at.timestamp())
    modified_at = model.engine_model.modified_at if model.engine_model else ""
    try:
        # Engines write nanoseconds, which Python 3.10 does not read.
        return int(datetime.fromisoformat(modified_at[:19]).replace(tzinfo=timezone.utc).timestamp())
    except ValueError:
        return 0
