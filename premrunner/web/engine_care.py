"""The engine, for its owner: what it writes, and a new start."""

from flask import Blueprint, Response, jsonify, request

from premrunner.web import parsing
from premrunner.web.operation import operation
from premrunner.web.parsing import Parameter, page_number
from premrunner.web.services import services

bp = Blueprint("engine_care", __name__, url_prefix="/api/engine")

# The log is bounded by its writer, far below.
LAST_POSITION = 10**9 - 1
AFTER = (Parameter("after", parsing.integer(1, LAST_POSITION), meaning="The `position` of an earlier answer."),)


@bp.get("/log")
@operation(query=AFTER, answer="EngineLog")
def show_log() -> Response:
    """Show the engine's last lines, or those after a position; secrets and folders are left out."""
    part = services().engine_log.read(page_number(request, "after", 0, LAST_POSITION) or None)
    return jsonify(lines=part.lines, position=part.position, isNew=part.is_new)


@bp.post("/restart")
@operation(answer="Success")
def restart() -> Response:
    """Restart the engine, if PremRunner started it; calls that it answers are cut off."""
    services().engine.restart()
    return jsonify(success=True)
