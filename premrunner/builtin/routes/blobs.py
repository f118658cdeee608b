"""Uploading files by their digest."""

import sys

from flask import Blueprint, Response, request

from premrunner.builtin.blobs import parse_digest
from premrunner.builtin.refusals import Refusal
from premrunner.builtin.services import services

bp = Blueprint("blobs", __name__)


@bp.route("/api/blobs/<digest>", methods=["HEAD"])
def has_blob(digest: str) -> Response:
    """Tell whether a blob is stored."""
    try:
        path = services().library.blobs.path(parse_digest(digest))
    except Refusal as refusal:
        return Response(status=refusal.status)
    return Response(status=200 if path.exists() else 404)


@bp.post("/api/blobs/<digest>")
def store_blob(digest: str) -> Response:
    """Store a blob whose content has that digest."""
    request.max_content_length = sys.maxsize  # None would mean the application's limit for JSON.
    is_new = services().library.blobs.receive(digest, request.stream)
    return Response(status=201 if is_new else 200)
