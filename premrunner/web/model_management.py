"""Imports and models as their owner manages them: cancel, try again, rename, copy, other defaults."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.imports.importing import ImportView
from premrunner.domain.upload_names import check_model_name
from premrunner.events import ImportOptions, ImportRecord
from premrunner.records import ModelRecord
from premrunner.web import parsing
from premrunner.web.parsing import json_object
from premrunner.web.progress_ws import event_shape
from premrunner.web.services import services

bp = Blueprint("model_management", __name__)

LONGEST_TEXT = 100_000
LONGEST_CONTEXT = 10_000_000
GONE = {
    "message": "The engine does not have this model any more; somebody deleted it there.",
    "hint": "Delete it here as well, and upload it again.",
}
OPTION_FIELDS = {"system", "template", "parameters", "contextLength"}


@bp.get("/imports")
def list_imports() -> Response:
    """List the imports, oldest first."""
    return jsonify(imports=[import_shape(record) for record in services().imports.all()])


@bp.post("/models/<model:model_id>/cancel")
def cancel_import(model_id: str) -> Response:
    """Stop an import; what was uploaded is kept for another try."""
    services().imports.cancel(model_id)
    return jsonify(id=model_id, message="Cancelling")


@bp.post("/models/<model:model_id>/retry")
def retry_import(model_id: str) -> Response:
    """Try a failed import again, from the stage that failed, with other options if some are given."""
    body = json_object(request) if request.content_length else {}
    services().imports.retry(model_id, import_options(body) if body else None)
    return jsonify(id=model_id, message="Model import started")


@bp.post("/models/<model:model_id>/copy")
def copy_model(model_id: str) -> Response:
    """Make a second model of the same weights."""
    name = check_model_name(parsing.text("name", json_object(request).get("name")), "name")
    return jsonify(model_shape(services().model_changes.copy(model_id, name)))


@bp.patch("/models/<model:model_id>")
def change_model(model_id: str) -> Response:
    """Rename a model, or change what it is given by default."""
    body = json_object(request)
    changes = services().model_changes
    name, alias = str(body.get("name") or ""), str(body.get("alias") or "")
    record = services().catalog.ours(model_id).record
    if record is not None and (name or alias):
        record = changes.rename(model_id, check_model_name(name or record.name, "name"), alias)
    if record is not None and OPTION_FIELDS & set(body):
        kept = {**record.options, **{field: body[field] for field in OPTION_FIELDS if field in body}}
        record = changes.change_defaults(model_id, import_options(kept))
    return jsonify(model_shape(record) if record else {})


def import_options(body: Mapping[str, Any]) -> ImportOptions:
    """Return what a body says of how a model shall be.

    Raises:
        InvalidRequest: A field is wrong.
    """
    parameters = dict(parsing.mapping("parameters", body.get("parameters") or {}))
    if body.get("contextLength") is not None:
        parameters["num_ctx"] = parsing.integer(1, LONGEST_CONTEXT)("contextLength", body["contextLength"])
    return ImportOptions(
        system=_text("system", body.get("system")),
        template=_text("template", body.get("template")),
        parameters=parameters,
        output_type=_text("outputType", body.get("outputType")) or "auto",
        base=_text("base", body.get("base")),
    )


def import_shape(record: ImportRecord) -> dict[str, Any]:
    """Return an import as lists show it."""
    return {
        "id": record.id,
        "name": record.name,
        "status": record.status,
        "stage": record.stage,
        "error": {"message": record.error, "hint": record.hint} if record.error else None,
        "canRetry": record.can_retry,
        "createdAt": record.created_at.isoformat(),
        "finishedAt": record.finished_at.isoformat() if record.finished_at else None,
    }


def status_shape(view: ImportView, *, is_gone: bool) -> dict[str, Any]:
    """Return an import as its status shows it: the original's fields, and everything that is known.

    Args:
        view: The import.
        is_gone: Whether the engine has lost the model since.
    """
    record, model = view.record, view.model
    last = view.events[-1] if view.events else None
    lost = {"status": "failed", "error": GONE} if is_gone else {}
    return {
        **import_shape(record),
        **lost,
        "alias": model.alias if model else None,
        "imported": record.status == "ready" and not is_gone,
        "percent": last.percent if last else 0,
        "message": last.message if last else "",
        "place": view.place,
        "found": model.findings if model else {},
        "proof": model.proof if model else {},
        "options": model.options if model else {},
        "events": [event_shape(event) for event in view.events],
    }


def model_shape(record: ModelRecord) -> dict[str, Any]:
    """Return one of our models with everything that is known of it."""
    return {
        "id": record.id,
        "name": record.name,
        "alias": record.alias,
        "size": record.size_bytes,
        "uploadedAt": record.created_at.isoformat(),
        "options": record.options,
        "found": record.findings,
        "proof": record.proof,
    }


def _text(name: str, value: Any) -> str:
    return parsing.text(name, value)[:LONGEST_TEXT] if value else ""
