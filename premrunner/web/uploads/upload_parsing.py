"""Read what clients say of uploads, in JSON, in headers and in forms."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from flask import Request

from premrunner.domain.upload_body import LARGEST_INDEX, ChunkAddress
from premrunner.domain.upload_completion import CompletionWish
from premrunner.domain.upload_names import check_model_name, check_path
from premrunner.domain.uploads import PROPOSED_CHUNK_BYTES, UploadWish
from premrunner.errors import InvalidRequest
from premrunner.net.native_threads import NativeThreads
from premrunner.net.pipes import Sink
from premrunner.records import Digest, UploadFile
from premrunner.web import parsing
from premrunner.web.uploads.multipart_form import BoundaryWatch, MultipartForm, boundary_of
from premrunner.web.uploads.request_body import body_of

# The largest size that any disk or database can hold; MAX_UPLOAD_BYTES is checked later, with its own answer.
LARGEST_SIZE = 2**53
SMALLEST_CHUNK = 64 * 1024
SHA256 = re.compile(r"[0-9a-f]{64}")
# RFC 9530's names for what hashlib calls otherwise.
CONTENT_DIGESTS = {"sha-256": "sha256", "sha-512": "sha512"}
DIGEST_MEMBER = re.compile(r"\s*([a-z0-9*_.-]+)\s*=\s*:([A-Za-z0-9+/=]*):\s*")

size_in_bytes = parsing.integer(0, LARGEST_SIZE)


def upload_wish(request: Request) -> UploadWish:
    """Return what a client wants to send: one file, or a folder's files.

    Raises:
        InvalidRequest: It cannot be read, or a name is impossible.
    """
    body = parsing.json_object(request)
    name = body.get("modelName")
    chunk_bytes = body.get("chunkSize")
    if chunk_bytes is not None:
        chunk_bytes = parsing.integer(SMALLEST_CHUNK, LARGEST_SIZE)("chunkSize", chunk_bytes)
    if body.get("files") is not None:
        files = _files(body["files"])
        chunk_bytes = chunk_bytes or PROPOSED_CHUNK_BYTES
        default_name = files[0].path.split("/")[0]
    else:
        path = check_path(parsing.text("fileName", body.get("fileName")))
        files = [UploadFile(path, size_in_bytes("fileSize", body.get("fileSize")))]
        default_name = stem(path)
    return UploadWish(
        name=check_model_name(parsing.text("modelName", name) if name is not None else default_name),
        files=files,
        chunk_bytes=chunk_bytes,
        sha256=_sha256(body.get("sha256")),
    )


def completion_wish(body: Mapping[str, Any]) -> CompletionWish:
    """Return what a client says at the end of an upload."""
    total, name = body.get("totalChunks"), body.get("modelName")
    return CompletionWish(
        name=check_model_name(parsing.text("modelName", name)) if name is not None else "",
        total_chunks=parsing.integer(0, LARGEST_INDEX)("totalChunks", total) if total is not None else None,
        sha256=_sha256(body.get("sha256")),
    )


class ChunkForm(MultipartForm):
    """The original's form: ``chunk``, ``modelId``, ``chunkIndex``, ``totalChunks``, in any order."""

    def address(self) -> ChunkAddress | None:
        """Return which chunk it is; None while a field has not come.

        Raises:
            InvalidRequest: A field makes no sense.
        """
        if not self.fields.get("modelId") or self.file_field != "chunk" or "chunkIndex" not in self.fields:
            return None
        total = self.fields.get("totalChunks")
        return ChunkAddress(
            self.fields["modelId"],
            index_of(self.fields["chunkIndex"]),
            index_of(total, "totalChunks") if total is not None else None,
        )


class FileForm(MultipartForm):
    """The original's form of a whole file: ``file`` and ``name``.

    Nothing but its end says how large the file is, so it is looked for everywhere: long fields behind the file must not
    become part of it. A chunk of another form would have the wrong size.
    """

    def pour(self, sink: Sink, threads: NativeThreads) -> None:
        """Give the file's bytes to a sink, and read the fields behind it.

        Raises:
            InvalidRequest: As `MultipartForm.pour` does, and when the fields are too long.
        """
        super().pour(BoundaryWatch(sink, self.delimiter), threads)

    def model_name(self) -> str:
        """Return what the model shall be called; empty while that has not come."""
        return self.fields.get("name", "").strip()


def chunk_form(request: Request) -> ChunkForm:
    """Return the form of a chunk, its file unread."""
    return ChunkForm(body_of(request), boundary_of(request))


def file_form(request: Request) -> FileForm:
    """Return the form of a whole file, its file unread.

    Raises:
        InvalidRequest: There is no file in it.
    """
    form = FileForm(body_of(request), boundary_of(request))
    if form.file_field != "file":
        raise InvalidRequest("File and name are required", param="file")
    return form


def index_of(text: str, param: str = "chunkIndex") -> int:
    """Return the number in a text.

    Raises:
        InvalidRequest: It is no whole number, negative or huge.
    """
    if not (text.isascii() and text.isdigit() and len(text) < len(str(LARGEST_INDEX))):
        raise InvalidRequest(f"'{param}' must be a whole number from 0.", param=param)
    return int(text)


def content_digest(request: Request) -> Digest | None:
    """Return the digest of ``Content-Digest`` (RFC 9530); None when there is none.

    Raises:
        InvalidRequest: It cannot be read, or has no algorithm that we know.
    """
    header = request.headers.get("Content-Digest")
    if header is None:
        return None
    for member in header.split(","):
        match = DIGEST_MEMBER.fullmatch(member)
        if match and match[1] in CONTENT_DIGESTS:
            return digest_of(CONTENT_DIGESTS[match[1]], match[2], "Content-Digest")
    raise InvalidRequest("'Content-Digest' must be like 'sha-256=:…base64…:', or sha-512.", param="Content-Digest")


def digest_of(algorithm: str, text: str, param: str) -> Digest:
    """Return a digest out of its base64.

    Raises:
        InvalidRequest: It is none of that algorithm.
    """
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InvalidRequest(f"'{param}' is not base64.", param=param) from error
    if len(value) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise InvalidRequest(f"'{param}' has the wrong length for {algorithm}.", param=param)
    return Digest(algorithm, value)


def stem(path: str) -> str:
    """Return a file's name without folders and endings, to call a model by."""
    name = PurePosixPath(path).name
    return re.sub(r"(\.tar)?\.[A-Za-z0-9]+$", "", name) or name


def _files(value: Any) -> Sequence[UploadFile]:
    files = []
    for index, item in enumerate(parsing.sequence("files", value)):
        where = f"files[{index}]"
        entry = parsing.mapping(where, item)
        path = check_path(parsing.text(f"{where}.path", entry.get("path")), f"{where}.path")
        files.append(UploadFile(path, size_in_bytes(f"{where}.size", entry.get("size"))))
    if not files:
        raise InvalidRequest("'files' is empty.", param="files")
    return files


def _sha256(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not SHA256.fullmatch(value.lower()):
        raise InvalidRequest("'sha256' must be 64 hex digits.", param="sha256")
    return value.lower()
