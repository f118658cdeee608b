"""Bytes arriving: a chunk, a form with a chunk, a whole file, or what tus adds at the end."""

import logging
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone

from premrunner.domain.upload_body import Body, ChunkAddress, FormChunk, FormFile, SpoolBody
from premrunner.domain.upload_names import check_model_name, check_path
from premrunner.domain.uploads import CHUNKS_MOST, PROPOSED_CHUNK_BYTES, UploadParts, Uploads
from premrunner.errors import InvalidRequest, PremRunnerError, UploadConflict
from premrunner.records import Digest, UploadFile, UploadRecord, new_id
from premrunner.storage.upload_files import layout_of
from premrunner.storage.upload_layout import ChunkPlace
from premrunner.storage.upload_spool import IncomingFile

logger = logging.getLogger(__name__)


class Receiving:
    """Takes the bytes of uploads.

    Args:
        uploads: What may come.
        parts: What they stand on.
    """

    def __init__(self, uploads: Uploads, parts: UploadParts) -> None:
        self._uploads = uploads
        self._store, self._files, self._hashes, self._threads = parts

    def chunk(self, address: ChunkAddress, body: Body, digest: Digest | None = None) -> int:
        """Take one chunk and return how many chunks the upload has.

        The chunk has come when this returns: no end of this process loses it. It counts once it is on disk.

        Raises:
            UploadNotFound: There is no such upload.
            UploadConflict: It is complete, or this chunk is being sent by somebody else.
            InvalidRequest: No such chunk, or of another size.
            DigestMismatch: Other bytes came than were announced.
            DiskFull: There is no space.
        """
        upload = self._open_upload(address.upload_id)
        if upload.is_tus:
            raise UploadConflict("This upload was started by tus; send it as it was begun.")
        if upload.chunk_bytes is None:
            _place(replace(upload, chunk_bytes=PROPOSED_CHUNK_BYTES), address, body.length_bytes)
            upload = self._store.settle_chunk_bytes(upload.id, PROPOSED_CHUNK_BYTES)
        place = _place(upload, address, body.length_bytes)
        self._write(upload, place, body, digest)
        return layout_of(upload).total

    def form_chunk(self, form: FormChunk) -> ChunkAddress:
        """Take one chunk of the original's form and return which it was, with the number of chunks.

        Raises:
            PremRunnerError: As `chunk` does.
        """
        address = form.address()
        if address and address.total_chunks and self._open_upload(address.upload_id).chunk_bytes:
            return replace(address, total_chunks=self.chunk(address, form))
        spool = self._threads.run(self._files.open_spool, self._uploads.most_bytes)
        try:
            form.pour(spool, self._threads)
            address = form.address()
            if address is None:
                raise InvalidRequest("Missing chunk or modelId")
            self._settle_chunk_bytes(address, spool.size_bytes)
            return replace(address, total_chunks=self.chunk(address, SpoolBody(spool)))
        finally:
            self._threads.run(spool.close)

    def append(self, upload_id: str, offset_bytes: int, body: Body, digest: Digest | None = None) -> UploadRecord:
        """Take what a tus client adds; also of a part that is cut, what has come counts, unless it has a digest.

        Raises:
            UploadConflict: The upload is elsewhere; the message names the right offset.
            PremRunnerError: As `chunk` does.
        """
        upload = self._open_upload(upload_id)
        if not upload.is_tus:
            raise UploadConflict("This upload was started in chunks; send it as it was begun.")
        _require_offset(self._threads.run(self._files.slots, upload)[0].received_bytes, offset_bytes)
        place = layout_of(upload).place(0)
        writer = self._threads.run(self._files.open_chunk, upload, place, digest, grows=True)
        try:
            _require_offset(writer.begin_bytes, offset_bytes)
            body.pour(writer, self._threads)
            self._threads.run(writer.finish)
        except BaseException:
            with suppress(PremRunnerError):  # What went wrong first is what the client must know.
                self._threads.run(writer.keep)
            raise
        finally:
            writer.close()
            self._hashes.follow(upload)
        return upload

    def offset(self, upload: UploadRecord) -> int:
        """Return how many bytes of a tus upload count."""
        if upload.state == "complete":
            return upload.size_bytes
        return self._threads.run(self._files.slots, upload)[0].received_bytes

    def whole(self, form: FormFile) -> UploadRecord:
        """Take a file in one piece and return the complete upload.

        Raises:
            PremRunnerError: As `Uploads.start` does.
        """
        path = check_path(form.file_name, "file")
        announced = [UploadFile(path, form.most_bytes or 1)]
        self._uploads.check(announced)
        self._uploads.require_space(announced)
        incoming = self._threads.run(self._files.open_incoming, self._uploads.most_bytes)
        try:
            form.pour(incoming, self._threads)
            if not form.model_name():
                raise InvalidRequest("File and name are required", param="name")
            files = [UploadFile(path, incoming.size_bytes, incoming.sha256)]
            self._uploads.check(files)
            return self._keep(incoming, check_model_name(form.model_name(), "name"), files[0])
        finally:
            self._threads.run(incoming.close)

    def _keep(self, incoming: IncomingFile, name: str, file: UploadFile) -> UploadRecord:
        moment = datetime.now(timezone.utc)
        upload = UploadRecord(
            new_id(), name, [file], file.size_bytes, "complete", moment, completed_at=moment, sha256=file.sha256
        )
        here = self._store.find_complete(upload.sha256, upload.size_bytes)
        if here is None or not self._threads.run(self._files.link, here, upload):
            self._threads.run(self._files.adopt, upload.id, incoming)
        self._store.add(upload)
        logger.info("Upload complete.", extra={"upload_id": upload.id, "size_bytes": upload.size_bytes})
        return upload

    def _open_upload(self, upload_id: str) -> UploadRecord:
        upload = self._uploads.get(upload_id)
        if upload.state != "open":
            raise UploadConflict("The upload is complete; nothing can be added.")
        return upload

    def _write(self, upload: UploadRecord, place: ChunkPlace, body: Body, digest: Digest | None) -> None:
        writer = self._threads.run(self._files.open_chunk, upload, place, digest)
        try:
            body.pour(writer, self._threads)
            self._threads.run(writer.finish)
        finally:
            writer.close()
        self._threads.start(self._settle, upload, place)
        self._hashes.follow(upload)

    def _settle(self, upload: UploadRecord, place: ChunkPlace) -> None:
        """Bring a chunk to disk, while its sender sends the next one."""
        try:
            self._files.settle(upload, place)
        except PremRunnerError as error:
            # Whoever asks what has arrived does not see it any more.
            logger.warning("Chunk %d must come again: %s", place.index, error, extra={"upload_id": upload.id})

    def _settle_chunk_bytes(self, address: ChunkAddress, length_bytes: int) -> None:
        """Learn the size of the chunks from the first that comes: the original's client does not announce it."""
        upload = self._open_upload(address.upload_id)
        if upload.chunk_bytes is not None:
            return
        if address.total_chunks is None:
            raise InvalidRequest("'totalChunks' is missing.", param="totalChunks")
        chunk_bytes = length_bytes
        if 0 < address.index == address.total_chunks - 1:
            chunk_bytes = -(-(upload.size_bytes - length_bytes) // address.index)
        fits = 0 < chunk_bytes <= upload.size_bytes and -(-upload.size_bytes // chunk_bytes) == address.total_chunks
        if not fits or address.total_chunks > CHUNKS_MOST:
            raise InvalidRequest(
                f"A chunk of {length_bytes} bytes as number {address.index} of {address.total_chunks} does not make "
                f"an upload of {upload.size_bytes} bytes.",
                param="totalChunks",
            )
        _place(replace(upload, chunk_bytes=chunk_bytes), address, length_bytes)
        self._store.settle_chunk_bytes(upload.id, chunk_bytes)


def _place(upload: UploadRecord, address: ChunkAddress, length_bytes: int | None) -> ChunkPlace:
    """Return where a chunk goes.

    Raises:
        InvalidRequest: It goes nowhere, or has another size.
    """
    layout = layout_of(upload)
    if address.total_chunks is not None and address.total_chunks != layout.total:
        raise InvalidRequest(
            f"'totalChunks' is {address.total_chunks}, but {upload.size_bytes} bytes in chunks of "
            f"{upload.chunk_bytes} are {layout.total}.",
            param="totalChunks",
        )
    try:
        place = layout.place(address.index)
    except IndexError as error:
        raise InvalidRequest(
            f"There is no chunk {address.index}; they are numbered from 0 to {layout.total - 1}.", param="chunkIndex"
        ) from error
    if length_bytes is not None and length_bytes != place.length_bytes:
        raise InvalidRequest(
            f"Chunk {place.index} must have {place.length_bytes} bytes, but {length_bytes} are announced. "
            "A client chooses the size of its chunks with 'chunkSize' at the start.",
            param="chunkIndex",
        )
    return place


def _require_offset(right_bytes: int, given_bytes: int) -> None:
    if right_bytes != given_bytes:
        raise UploadConflict(f"The upload continues at byte {right_bytes}, not at {given_bytes}.")
