"""The bases that are kept for adapters."""

from typing import Any

from flask import Blueprint, Response, jsonify

from premrunner.records import Base
from premrunner.web.operation import operation
from premrunner.web.services import services

bp = Blueprint("bases", __name__)


@bp.get("/bases")
@operation(answer="Bases")
def list_bases() -> Response:
    """List the bases that are kept for adapters, oldest first, with the space they take."""
    bases = services().bases.all()
    return jsonify(bases=[base_shape(base) for base in bases], sizeBytes=sum(base.size_bytes for base in bases))


@bp.delete("/bases/<base_id>")
@operation(answer="BaseDeleted")
def delete_base(base_id: str) -> Response:
    """Delete a base; models that were made with it stay."""
    return jsonify(id=base_id, freedBytes=services().bases.delete(base_id))


def base_shape(base: Base) -> dict[str, Any]:
    """Return a base as clients see it."""
    return {
        "id": base.id,
        "name": base.name,
        "names": base.names,
        "origin": base.origin,
        "sizeBytes": base.size_bytes,
        "createdAt": base.created_at.isoformat(),
        "files": [{"name": name, "sha256": sha256} for name, sha256 in sorted(base.sha256.items())],
    }
