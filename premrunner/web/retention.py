"""How long calls are kept, for their owner: shown, chosen, and applied at once."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.trace_retention import Keeping
from premrunner.web import parsing
from premrunner.web.operation import operation
from premrunner.web.parsing import Parameter, json_object
from premrunner.web.services import services

bp = Blueprint("retention", __name__, url_prefix="/api/retention")

MOST_DAYS = 36_500
MOST_CALLS = 1_000_000_000
KEEPING = (
    Parameter("days", parsing.integer(0, MOST_DAYS), meaning="Older calls go; 0 keeps every age.", is_required=True),
    Parameter(
        "count", parsing.integer(0, MOST_CALLS), meaning="Of more calls the oldest go; 0 keeps all.", is_required=True
    ),
)


@bp.get("")
@operation(answer="Retention")
def show_keeping() -> Response:
    """Show how long calls are kept, how many there are, how many of them are outdated, and what they take."""
    return jsonify(_shape())


@bp.put("")
@operation(KEEPING, answer="Retention")
def keep() -> Response:
    """Keep calls so long from now on; what is outdated goes within the hour, what was judged stays."""
    services().trace_retention.keep(Keeping(**parsing.fields(KEEPING, json_object(request))))
    return jsonify(_shape())


@bp.post("/apply")
@operation(answer="TracesDeleted")
def apply() -> Response:
    """Delete the calls that are outdated now, and not within the hour."""
    return jsonify(deleted=services().trace_retention.apply())


def _shape() -> dict[str, Any]:
    kept = services().trace_retention.kept()
    return {
        "days": kept.keeping.days,
        "count": kept.keeping.count,
        "calls": kept.calls,
        "outdated": kept.outdated,
        "totalBytes": kept.total_bytes,
        "freeBytes": kept.free_bytes,
    }
