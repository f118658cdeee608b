"""What can be imported here, for pages and programs that look into a file before they send it."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.imports.terms import KnownBase, Terms
from premrunner.web import parsing
from premrunner.web.operation import operation
from premrunner.web.parsing import Parameter
from premrunner.web.services import services

bp = Blueprint("import_options", __name__)

BASE = (Parameter("base", parsing.any_text, meaning="An adapter's `base_model_name_or_path`: is that model here?"),)


@bp.get("/import-options")
@operation(answer="ImportOptions", query=BASE)
def show_terms() -> Response:
    """Tell what can be imported and what it will take; with `?base=`, whether an adapter's base is here or can come."""
    terms = services().import_terms
    if wanted := request.args.get("base", ""):
        found = terms.find_base(wanted)
        return jsonify(base=base_shape(found) if found else None, canDownload=terms.can_download(wanted))
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
        "canDownloadBases": terms.can_download_bases,
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
