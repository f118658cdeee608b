"""What Prem's SDK 0.18 asks of models: whether one is in memory, bring it there, take it out."""

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.catalog import CatalogModel
from premrunner.errors import ModelNotFound
from premrunner.web import parsing
from premrunner.web.caller import access_key
from premrunner.web.engine_guard import require_engine
from premrunner.web.operation import operation
from premrunner.web.parsing import Parameter, json_object
from premrunner.web.services import services
from premrunner.web.wire import sampling

bp = Blueprint("prem_models", __name__)
bp.before_request(require_engine)

# In the query, because ids may hold slashes.
QUERY = (Parameter("model", parsing.text, meaning="Alias, id or engine name of the model.", is_required=True),)
BODY = (sampling.MODEL,)


@bp.get("/models/running")
@operation(query=QUERY, answer="ModelRunning")
def show_running() -> Response:
    """Tell whether a model is in memory; one that does not exist is not."""
    catalog = services().catalog
    try:
        model = catalog.resolve(parsing.text("model", request.args.get("model")), access_key())
    except ModelNotFound:
        return jsonify(status=False)
    return jsonify(status=catalog.is_loaded(model))


@bp.post("/models/up")
@operation(BODY, answer="Done")
def load_model() -> Response:
    """Bring a model into memory, so that its first answer does not wait for that."""
    model = _named_model()
    services().catalog.load(model)
    return jsonify(message=f"Model {model.model_id} is loaded.")


@bp.post("/models/down")
@operation(BODY, answer="Done")
def unload_model() -> Response:
    """Take a model out of memory."""
    model = _named_model()
    services().catalog.unload(model)
    return jsonify(message=f"Model {model.model_id} is unloaded.")


def _named_model() -> CatalogModel:
    wanted = parsing.fields(BODY, json_object(request))
    return services().catalog.resolve(wanted["model"], access_key())
