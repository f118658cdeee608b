"""Imports and models as their owner manages them: cancel, try again, rename, copy, other defaults."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.imports.importing import ImportView
from premrunner.domain.upload_names import check_model_name
from premrunner.events import ImportOptions, ImportRecord
from premrunner.records import ModelRecord
from premrunner.web import parsing
from premrunner.web.operation import operation
from premrunner.web.parsing import Parameter, json_object
from premrunner.web.progress_ws import event_shape
from premrunner.web.services import services

bp = Blueprint("model_management", __name__)

LONGEST_TEXT = 100_000
LONGEST_CONTEXT = 10_000_000
GONE = {
    "message": "The engine does not have this model any more; somebody deleted it there.",
    "hint": "Delete it here as well, and upload it again.",
}
NAME = Parameter("name", parsing.text, meaning="What people call it.", is_required=True)
DEFAULTS = (
    Parameter("system", parsing.text_up_to(LONGEST_TEXT), meaning="Default system prompt."),
    Parameter(
        "template",
        parsing.text_up_to(LONGEST_TEXT),
        meaning="Chat template in place of the model's own: Jinja, or Ollama's language for Ollama.",
    ),
    Parameter("parameters", parsing.mapping, meaning="The engine's default options, such as `temperature` and `stop`."),
    Parameter("contextLength", parsing.integer(1, LONGEST_CONTEXT), meaning="Tokens of context."),
)
CHANGES = (
    Parameter("name", parsing.text, meaning="What people call it from now on."),
    Parameter("alias", parsing.text, meaning="What programs call it from now on, if that shall change too."),
    *DEFAULTS,
)
IMPORT_OPTIONS = (
    *DEFAULTS,
    Parameter(
        "outputType", parsing.text_up_to(40), meaning="What safetensors are converted to: `auto`, `q8_0`, `q4_k_m`…"
    ),
    Parameter("base", parsing.text_up_to(LONGEST_TEXT), meaning="Id or name of an adapter's base."),
    Parameter("keepAsBase", parsing.flag, meaning="Keep the safetensors as a base for adapters that come later."),
)


@bp.get("/imports")
@operation(answer="Imports")
def list_imports() -> Response:
    """List the imports, oldest first."""
    return jsonify(imports=[import_shape(record) for record in services().imports.all()])


@bp.post("/models/<model:model_id>/cancel")
@operation(answer="ImportNews")
def cancel_import(model_id: str) -> Response:
    """Stop an import; what was uploaded is kept for another try."""
    services().imports.cancel(model_id)
    return jsonify(id=model_id, message="Cancelling")


@bp.post("/models/<model:model_id>/retry")
@operation(IMPORT_OPTIONS, answer="ImportNews")
def retry_import(model_id: str) -> Response:
    """Try a failed import again, from the stage that failed, with other options if some are given."""
    body = json_object(request) if request.content_length else {}
    services().imports.retry(model_id, import_options(body) if body else None)
    return jsonify(id=model_id, message="Model import started")


@bp.post("/models/<model:model_id>/copy")
@operation((NAME,), answer="OwnModel")
def copy_model(model_id: str) -> Response:
    """Make a second model of the same weights."""
    name = check_model_name(parsing.fields((NAME,), json_object(request))["name"], "name")
    return jsonify(model_shape(services().model_changes.copy(model_id, name)))


@bp.patch("/models/<model:model_id>")
@operation(CHANGES, answer="OwnModel")
def change_model(model_id: str) -> Response:
    """Rename a model, or change what it is given by default."""
    body = json_object(request)
    changes = services().model_changes
    wanted = parsing.fields(CHANGES, body)
    name, alias = wanted.get("name", ""), wanted.get("alias", "")
    record = services().catalog.ours(model_id).record
    if record is not None and (name or alias):
        record = changes.rename(model_id, check_model_name(name or record.name, "name"), alias)
    changed = {parameter.name: body[parameter.name] for parameter in DEFAULTS if parameter.name in body}
    if record is not None and changed:
        kept = {**record.options, **changed}
        record = changes.change_defaults(model_id, import_options(kept))
    return jsonify(model_shape(record) if record else {})


def import_options(body: Mapping[str, Any]) -> ImportOptions:
    """Return what a body says of how a model shall be.

    Raises:
        InvalidRequest: A field is wrong.
    """
    wanted = parsing.fields(IMPORT_OPTIONS, body)
    parameters = dict(wanted.get("parameters", {}))
    if "contextLength" in wanted:
        parameters["num_ctx"] = wanted["contextLength"]
    return ImportOptions(
        system=wanted.get("system", ""),
        template=wanted.get("template", ""),
        parameters=parameters,
        output_type=wanted.get("outputType") or "auto",
        base=wanted.get("base", ""),
        keep_as_base=wanted.get("keepAsBase", False),
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
