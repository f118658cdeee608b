"""Uploads in chunks: the original's three calls, and beside them raw chunks that can be resumed and checked."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from premrunner.domain.upload_body import ChunkAddress
from premrunner.domain.upload_completion import handle_of, index_ranges
from premrunner.domain.uploads import PROPOSED_CHUNK_BYTES, UploadStatus
from premrunner.web.parsing import json_object, text
from premrunner.web.services import services
from premrunner.web.uploads import upload_parsing
from premrunner.web.uploads.request_body import body_of

bp = Blueprint("chunked_upload", __name__)


@bp.post("/chunked-upload/start")
def start() -> Response:
    """Begin an upload; says what to send, or that the content is here already."""
    upload = services().uploads.start(upload_parsing.upload_wish(request))
    shape = upload_shape(services().uploads.status(upload.id))
    is_here = upload.state == "complete"
    same = _same_models(upload.expected_sha256 or upload.sha256)
    message = "Already here" if is_here else "Ready for chunks"
    return jsonify({**shape, "alreadyHere": is_here, "sameModels": same, "message": message})


@bp.post("/chunked-upload/chunk")
def receive_form_chunk() -> Response:
    """Take a chunk in the original's form."""
    return _received(services().receiving.form_chunk(upload_parsing.chunk_form(request)))


@bp.put("/chunked-upload/<upload_id>/chunks/<index>")
def receive_chunk(upload_id: str, index: str) -> Response:
    """Take a chunk as the raw body."""
    address = ChunkAddress(upload_id, upload_parsing.index_of(index))
    digest = upload_parsing.content_digest(request)
    total = services().receiving.chunk(address, body_of(request), digest)
    return _received(ChunkAddress(upload_id, address.index, total))


@bp.post("/chunked-upload/complete")
def complete() -> Response:
    """End an upload: every byte is here, and it is what was meant."""
    body = json_object(request)
    wish = upload_parsing.completion_wish(body)
    upload = services().completion.complete(text("modelId", body.get("modelId")), wish)
    return jsonify(
        success=True,
        modelId=upload.id,
        path=handle_of(upload),
        size=upload.size_bytes,
        sha256=upload.sha256,
        sameModels=_same_models(upload.sha256),
    )


@bp.get("/chunked-upload")
def list_uploads() -> Response:
    """List the uploads with the space they take."""
    statuses = services().uploads.all()
    return jsonify(
        uploads=[upload_shape(status) for status in statuses],
        unfinishedBytes=sum(status.space_bytes for status in statuses if status.expires_at),
        freeBytes=services().uploads.free_bytes(),
    )


@bp.get("/chunked-upload/<upload_id>")
def show(upload_id: str) -> Response:
    """Show what has arrived of an upload."""
    return jsonify(upload_shape(services().uploads.status(upload_id)))


@bp.delete("/chunked-upload/<upload_id>")
def give_up(upload_id: str) -> Response:
    """Delete an upload."""
    return jsonify(success=True, freedBytes=services().uploads.give_up(upload_id))


def upload_shape(status: UploadStatus) -> dict[str, Any]:
    """Return an upload as clients see it; ranges include both ends."""
    upload = status.upload
    is_complete = upload.state == "complete"
    return {
        "modelId": upload.id,
        "modelName": upload.name,
        "state": upload.state,
        "fileName": upload.files[0].path,
        "fileSize": upload.size_bytes,
        "files": [
            {"path": file.path, "size": file.size_bytes, "firstChunk": first, "sha256": file.sha256 or None}
            for file, first in zip(upload.files, status.first_chunks, strict=True)
        ],
        "chunkSize": upload.chunk_bytes or PROPOSED_CHUNK_BYTES,
        "totalChunks": status.total_chunks,
        "received": index_ranges(status.received),
        "receivedBytes": status.received_bytes,
        "sha256": upload.sha256 or None,
        "path": handle_of(upload) if is_complete else None,
        "spaceBytes": status.space_bytes,
        "createdAt": upload.created_at.isoformat(),
        "expiresAt": status.expires_at.isoformat() if status.expires_at else None,
    }


def _received(address: ChunkAddress) -> Response:
    return jsonify(success=True, chunkIndex=address.index, totalChunks=address.total_chunks)


def _same_models(sha256: str) -> list[dict[str, str]]:
    """Return the models that were made of the same content, as clients see them."""
    same = services().catalog.made_of(sha256)
    return [{"id": model.record.id, "name": model.name, "alias": model.model_id} for model in same if model.record]
