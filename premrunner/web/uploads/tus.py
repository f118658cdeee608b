"""tus 1.0 (https://tus.io/protocols/resumable-upload): creation, termination, checksum and expiration.

For every client that speaks it: tus-js-client, Uppy, tuspy and others upload with resume as they are.
"""

import base64
import binascii
import http
from datetime import datetime
from email.utils import format_datetime

from flask import Blueprint, Response, abort, request, url_for
from werkzeug.exceptions import UnsupportedMediaType

from premrunner.domain.upload_completion import CompletionWish
from premrunner.domain.upload_names import check_model_name, check_path
from premrunner.domain.uploads import UploadWish
from premrunner.errors import DigestMismatch, InvalidRequest, Overloaded, UploadTooLarge
from premrunner.records import Digest, UploadFile, UploadRecord
from premrunner.web.errors import answer_error
from premrunner.web.services import services
from premrunner.web.uploads.request_body import body_of
from premrunner.web.uploads.upload_parsing import LARGEST_SIZE, digest_of, stem

bp = Blueprint("tus", __name__)

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
# Of the protocol's algorithms those that clients use; sha1 is the one it demands.
ALGORITHMS = ("sha1", "sha256", "sha512")
CONTENT_TYPE = "application/offset+octet-stream"
CHECKSUM_MISMATCH = 460  # tus's own number.


@bp.before_request
def require_version() -> None:
    """Refuse another version of the protocol."""
    if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != VERSION:
        abort(http.HTTPStatus.PRECONDITION_FAILED, f"This server speaks Tus-Resumable: {VERSION}.")


@bp.after_request
def name_version(response: Response) -> Response:
    """Say which version of the protocol this is; on every answer."""
    response.headers["Tus-Resumable"] = VERSION
    if response.status_code == http.HTTPStatus.PRECONDITION_FAILED:
        response.headers["Tus-Version"] = VERSION
    return response


@bp.errorhandler(DigestMismatch)
def answer_mismatch(error: DigestMismatch) -> Response:
    """Answer with the protocol's own status."""
    response = answer_error(error)
    response.status_code = CHECKSUM_MISMATCH
    return response


@bp.route("/tus", methods=["OPTIONS"])
@bp.route("/tus/<upload_id>", methods=["OPTIONS"])
def describe(upload_id: str = "") -> Response:
    """Tell what this server can do."""
    return _empty(
        {
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(services().uploads.most_bytes),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        }
    )


@bp.post("/tus")
def create() -> Response:
    """Begin an upload; its first bytes may come along."""
    upload = services().uploads.start(_wish())
    headers = {"Location": url_for(".append", upload_id=upload.id)}
    if request.mimetype == CONTENT_TYPE and upload.state == "open":
        upload = _append(upload.id, services().receiving.offset(upload))
    return _progress(upload, headers, http.HTTPStatus.CREATED)


@bp.route("/tus/<upload_id>", methods=["HEAD"])
def show(upload_id: str) -> Response:
    """Tell how far an upload is."""
    upload = services().uploads.get(upload_id)
    headers = {"Upload-Length": str(upload.size_bytes), "Cache-Control": "no-store"}
    if upload.tus_metadata:
        headers["Upload-Metadata"] = upload.tus_metadata
    return _progress(upload, headers, http.HTTPStatus.OK)


@bp.patch("/tus/<upload_id>")
def append(upload_id: str) -> Response:
    """Add bytes to an upload; the last ones complete it."""
    if request.mimetype != CONTENT_TYPE:
        raise UnsupportedMediaType(f"The body's type must be {CONTENT_TYPE}.")
    return _progress(_append(upload_id, _number("Upload-Offset")), {})


@bp.delete("/tus/<upload_id>")
def give_up(upload_id: str) -> Response:
    """Delete an upload."""
    services().uploads.give_up(upload_id)
    return _empty({})


def _append(upload_id: str, offset_bytes: int) -> UploadRecord:
    receiving, completion = services().receiving, services().completion
    upload = receiving.append(upload_id, offset_bytes, body_of(request), _checksum())
    if receiving.offset(upload) < upload.size_bytes:
        return upload
    try:
        return completion.complete(upload.id, CompletionWish())
    except Overloaded:  # All bytes count; only their hash is late, and the import waits for it.
        return upload


def _progress(upload: UploadRecord, headers: dict[str, str], status: int = http.HTTPStatus.NO_CONTENT) -> Response:
    progress = services().uploads.status(upload.id)
    headers["Upload-Offset"] = str(progress.received_bytes)
    if progress.expires_at:
        headers["Upload-Expires"] = _http_date(progress.expires_at)
    return _empty(headers, status)


def _empty(headers: dict[str, str], status: int = http.HTTPStatus.NO_CONTENT) -> Response:
    response = Response(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response


def _http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def _wish() -> UploadWish:
    header = request.headers.get("Upload-Metadata", "")
    metadata = _metadata(header)
    path = metadata.get("filename") or metadata.get("name") or ""
    if not path:
        raise InvalidRequest("'Upload-Metadata' must have a 'filename', so that the kind of file is known.")
    size = _number("Upload-Length")
    return UploadWish(
        name=check_model_name(metadata.get("modelName") or stem(check_path(path, "filename"))),
        files=[UploadFile(check_path(path, "filename"), size)],
        chunk_bytes=size,
        tus_metadata=header,
    )


def _metadata(header: str) -> dict[str, str]:
    """Return the pairs of ``Upload-Metadata``: a key, and a text in base64 or nothing."""
    metadata = {}
    for pair in filter(None, header.split(",")):
        key, _, value = pair.strip().partition(" ")
        try:
            metadata[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidRequest(f"'Upload-Metadata' has a '{key}' that is not base64 of a text.") from error
    return metadata


def _number(header: str) -> int:
    value = request.headers.get(header, "")
    if not (value.isascii() and value.isdigit()):
        raise InvalidRequest(f"'{header}' must be a whole number.", param=header)
    number = int(value[: len(str(LARGEST_SIZE)) + 1])
    if number > LARGEST_SIZE:
        raise UploadTooLarge(f"'{header}' is larger than any disk.", param=header)
    return number


def _checksum() -> Digest | None:
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, value = header.partition(" ")
    if algorithm not in ALGORITHMS:
        raise InvalidRequest(f"'Upload-Checksum' must be one of {', '.join(ALGORITHMS)}.", param="Upload-Checksum")
    return digest_of(algorithm, value.strip(), "Upload-Checksum")
