"""A model in one request, and the request to make a model of what was uploaded."""

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.upload_completion import handle_of
from premrunner.errors import InvalidRequest
from premrunner.web import parsing
from premrunner.web.model_management import IMPORT_OPTIONS, import_options
from premrunner.web.operation import operation
from premrunner.web.parsing import Check, Parameter, json_object
from premrunner.web.services import services
from premrunner.web.uploads.upload_parsing import file_form

bp = Blueprint("model_upload", __name__)

FIELDS = (
    Parameter("modelId", parsing.text, meaning="Of the upload.", is_required=True),
    Parameter("modelName", parsing.text, meaning="What people call the model.", is_required=True),
    Parameter("filePath", parsing.text, meaning="The `path` that completing the upload gave.", is_required=True),
)
IMPORT = (*FIELDS, *IMPORT_OPTIONS)
# The form's parser reads these itself, as they come.
FILE = Check(lambda _, value: value, {"type": "string", "format": "binary"})
FORM = (
    Parameter("name", parsing.text, meaning="What people call the model.", is_required=True),
    Parameter("file", FILE, meaning="The model: GGUF, ZIP or tar.", is_required=True),
)


@bp.post("/models/upload")
@operation(FORM, answer="ModelUploaded", body_type="multipart/form-data")
def upload_model() -> Response:
    """Take a whole model in one form and import it."""
    upload = services().receiving.whole(file_form(request))
    services().handover.begin(upload.id, upload.name, handle_of(upload))
    message = "Model uploaded successfully, import started"
    return jsonify(id=upload.id, message=message, path=handle_of(upload))


@bp.post("/models/import")
@operation(IMPORT, answer="ImportNews")
def import_model() -> Response:
    """Import what was uploaded in chunks."""
    fields = json_object(request) if request.is_json else request.form
    upload_id, name, handle = (str(fields.get(field.name) or "") for field in FIELDS)
    if not (upload_id and name and handle):
        raise InvalidRequest("Missing required fields")
    options = import_options(fields) if request.is_json else None
    return jsonify(id=upload_id, message=services().handover.begin(upload_id, name, handle, options))
