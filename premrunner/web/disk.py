"""The disk, for its owner: what takes it, and a clean-up of each kind."""

from flask import Blueprint, Response, jsonify, request

from premrunner.web import parsing
from premrunner.web.operation import operation
from premrunner.web.parsing import Parameter, json_object
from premrunner.web.services import services

bp = Blueprint("disk", __name__, url_prefix="/api/disk")

KIND = (Parameter("kind", parsing.text, meaning="What to clean up: a kind that has leftovers.", is_required=True),)


@bp.get("")
@operation(answer="Disk")
def show_use() -> Response:
    """Show what takes the disk, by kind, and what of it may go."""
    report = services().disk.report()
    return jsonify(
        freeBytes=report.free_bytes,
        sizeBytes=report.size_bytes,
        kinds=[
            {
                "name": kind.name,
                "sizeBytes": kind.size_bytes,
                "files": kind.files,
                "leftovers": kind.leftovers,
                "leftoverBytes": kind.leftover_bytes,
            }
            for kind in report.kinds
        ],
    )


@bp.post("/clean")
@operation(KIND, answer="DiskCleaned")
def clean() -> Response:
    """Delete what may go of one kind; what is in use stays."""
    kind = parsing.fields(KIND, json_object(request))["kind"]
    return jsonify(kind=kind, freedBytes=services().disk.clean(kind))
