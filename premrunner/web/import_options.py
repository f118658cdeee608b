"""What can be imported here, for pages and programs that look into a file before they send it."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.imports.terms import KnownBase, Terms
from premrunner.web.services import services

bp = Blueprint("import_options", __name__)


@bp.get("/import-options")
def show_terms() -> Response:
    """Tell what can be imported and what it will take; with `?base=`, whether an adapter's base is here."""
    terms = services().import_terms
    if wanted := request.args.get("base", ""):
        found = terms.find_base(wanted)
        return jsonify(base=base_shape(found) if found else None)
    return jsonify(terms_shape(terms.now()))


def terms_shape(terms: Terms) -> dict[str, Any]:
    """Return what this server takes, as clients see it."""
    return {
        "architectures": terms.architectures,
        "takesOtherArchitectures": terms.takes_others,
        "outputTypes": [
            {
                "name": output.name,
                "weightBytes": output.weight,
                "outputBytes": output.output,
                "narrowBytes": output.narrow,
                "narrowOutputBytes": output.narrow_output,
            }
            for output in terms.output_types
        ],
        "maxUploadBytes": terms.most_bytes,
        "freeBytes": terms.free_bytes,
        "memoryBytes": terms.memory_bytes,
        "freeMemoryBytes": terms.free_memory_bytes,
        "contextLength": terms.context_length,
        "bases": [base_shape(base) for base in terms.bases],
        "ggufTensorTypes": terms.tensor_types,
        "ggufFileTypes": terms.file_types,
    }


def base_shape(base: KnownBase) -> dict[str, Any]:
    """Return a base, as clients see it."""
    return {
        "id": base.id,
        "name": base.name,
        "sizeBytes": base.size_bytes,
        "architecture": base.architecture,
        "contextLength": base.context_length,
        "parameterCount": base.parameter_count,
    }
