"""Uploads from their start to their end: what may come, what there is, and what is given up."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from premrunner.domain.upload_names import check_files
from premrunner.domain.upload_space import gigabytes, require_space, space_need
from premrunner.errors import InvalidRequest, UploadNotFound, UploadTooLarge
from premrunner.net.native_threads import NativeThreads
from premrunner.records import UploadFile, UploadRecord, new_id
from premrunner.storage.upload_files import UploadFiles, layout_of
from premrunner.storage.upload_hasher import TrailingHashes
from premrunner.storage.upload_layout import ChunkLayout
from premrunner.storage.upload_store import UploadStore

logger = logging.getLogger(__name__)

# What the original's page sends; half of what proxies commonly let through.
PROPOSED_CHUNK_BYTES = 50 * 1024 * 1024
# Each chunk costs a request and a place in the ledger.
CHUNKS_MOST = 50_000
# A folder whose row is not there yet must not be taken for one whose row is gone.
ORPHAN_SECONDS = 3600.0


@dataclass(frozen=True)
class UploadLimits:
    """What the settings allow.

    Attributes:
        most_bytes: Largest upload.
        expiry: How long an unfinished one is kept after its last byte.
    """

    most_bytes: int
    expiry: timedelta


@dataclass(frozen=True)
class UploadWish:
    """What a client wants to send, with checked names.

    Attributes:
        name: What the model shall be called.
        files: Names and sizes.
        chunk_bytes: Size of its chunks; None leaves it to the first chunk.
        sha256: What it will be; empty when the client does not say.
        tus_metadata: ``Upload-Metadata`` of a tus client; None for chunks.
    """

    name: str
    files: Sequence[UploadFile]
    chunk_bytes: int | None = None
    sha256: str = ""
    tus_metadata: str | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True)
class UploadStatus:
    """An upload at this moment.

    Attributes:
        received: Indexes of the chunks that count, ascending.
        received_bytes: Bytes that count.
        total_chunks: None while the size of its chunks is not known.
        first_chunks: Number of each file's first chunk.
        space_bytes: What giving it up would free.
        expires_at: None for a complete one, which never expires.
    """

    upload: UploadRecord
    received: Sequence[int]
    received_bytes: int
    total_chunks: int | None
    first_chunks: Sequence[int]
    space_bytes: int
    expires_at: datetime | None


class UploadParts(NamedTuple):
    """What uploads stand on.

    Attributes:
        store: Their rows.
        files: Their files.
        hashes: Their digests in the making.
        threads: For what touches the disk.
    """

    store: UploadStore
    files: UploadFiles
    hashes: TrailingHashes
    threads: NativeThreads


class Uploads:
    """Begins, shows and ends uploads.

    Args:
        parts: What they stand on.
        limits: What the settings allow.
    """

    def __init__(self, parts: UploadParts, limits: UploadLimits) -> None:
        self._store, self._files, self._hashes, self._threads = parts
        self._limits = limits

    @property
    def most_bytes(self) -> int:
        """Largest upload that may come."""
        return self._limits.most_bytes

    def start(self, wish: UploadWish) -> UploadRecord:
        """Return an upload that takes bytes, or a complete one when its content is here already.

        With a digest, an unfinished upload of the same files is gone on with.

        Raises:
            InvalidRequest: These files cannot be a model, or the chunks are too many.
            UploadTooLarge: They are larger than this server takes.
            DiskFull: They do not fit.
        """
        self.check(wish.files)
        sizes = [file.size_bytes for file in wish.files]
        if wish.chunk_bytes and ChunkLayout(sizes, wish.chunk_bytes).total > CHUNKS_MOST:
            raise InvalidRequest(f"More than {CHUNKS_MOST} chunks; choose a larger 'chunkSize'.", param="chunkSize")
        found = self._find_same(wish) if wish.sha256 else None
        if found is not None:
            return found
        self.clean()
        self.require_space(wish.files)
        upload = _new_upload(wish)
        self._store.add(upload)
        logger.info("Upload started.", extra={"upload_id": upload.id, "size_bytes": upload.size_bytes})
        return upload

    def check(self, files: Sequence[UploadFile]) -> None:
        """Return if these files may come.

        Raises:
            InvalidRequest: They cannot be a model.
            UploadTooLarge: They are larger than this server takes.
        """
        check_files([file.path for file in files])
        size = sum(file.size_bytes for file in files)
        if not size:
            raise InvalidRequest("There is nothing in it: the size is 0 bytes.", param="fileSize")
        if size > self._limits.most_bytes:
            raise UploadTooLarge(
                f"The upload has {gigabytes(size)}; this server takes {gigabytes(self._limits.most_bytes)} "
                "(MAX_UPLOAD_BYTES).",
                param="fileSize",
            )

    def require_space(self, files: Sequence[UploadFile]) -> None:
        """Return if these files fit on the disk, with what will be made of them.

        Raises:
            DiskFull: They do not.
        """
        need = space_need([file.path for file in files], sum(file.size_bytes for file in files))
        require_space(need, self._threads.run(self._files.free_bytes))

    def get(self, upload_id: str) -> UploadRecord:
        """Return an upload.

        Raises:
            UploadNotFound: There is none of that id.
        """
        return self._store.get(upload_id)

    def status(self, upload_id: str) -> UploadStatus:
        """Return an upload with what has arrived of it.

        Raises:
            UploadNotFound: There is none of that id.
        """
        return self._threads.run(self._status, self._store.get(upload_id))

    def all(self) -> Sequence[UploadStatus]:
        """Return every upload, newest first."""
        uploads = self._store.all()
        return self._threads.run(lambda: [self._status(upload) for upload in uploads])

    def free_bytes(self) -> int:
        """Return the space that is left on the disk."""
        return self._threads.run(self._files.free_bytes)

    def give_up(self, upload_id: str) -> int:
        """Delete an upload, also while bytes of it arrive, and return the bytes that came free.

        Raises:
            UploadNotFound: There is none of that id.
        """
        upload = self._store.get(upload_id)
        self._store.remove(upload.id)
        freed = self._threads.run(self._files.remove, upload)
        self._hashes.forget(upload.id)
        logger.info("Upload given up.", extra={"upload_id": upload.id, "freed_bytes": freed})
        return freed

    def clean(self) -> int:
        """Delete unfinished uploads that have expired, and what killed processes left; return the bytes freed."""
        folders = self._threads.run(self._files.folders)  # Before the rows: what begins meanwhile is left alone.
        uploads, freed, now = self._store.all(), 0, time.time()
        for upload in uploads:
            if upload.state == "open" and self._threads.run(self._expires_at, upload).timestamp() < now:
                with suppress(UploadNotFound):  # Another process cleans as well.
                    freed += self.give_up(upload.id)
        orphans = set(folders) - {upload.id for upload in uploads}
        freed += self._threads.run(self._clean_orphans, orphans, now)
        if freed:
            logger.info("Expired uploads were deleted.", extra={"freed_bytes": freed})
        return freed

    def _clean_orphans(self, orphans: set[str], now: float) -> int:
        freed = self._files.clean_spools(now - self._limits.expiry.total_seconds())
        for upload_id in orphans:
            if self._files.last_change(upload_id) < now - ORPHAN_SECONDS:
                freed += self._files.remove_folder(upload_id)
        return freed

    def _find_same(self, wish: UploadWish) -> UploadRecord | None:
        here = self._store.find_complete(wish.sha256, wish.size_bytes)
        if here is not None:
            upload = replace(
                _new_upload(wish),
                files=_with_digests(wish.files, here.files),
                state="complete",
                sha256=here.sha256,
                completed_at=datetime.now(timezone.utc),
            )
            if self._threads.run(self._files.link, here, upload):
                self._store.add(upload)
                return upload
        begun = self._store.find_open(wish.sha256, wish.size_bytes)
        if begun is None or (begun.is_tus, begun.chunk_bytes) != (wish.tus_metadata is not None, wish.chunk_bytes):
            return None
        return begun if list(begun.files) == list(wish.files) else None

    def _status(self, upload: UploadRecord) -> UploadStatus:
        layout = layout_of(upload)
        if upload.state == "complete":
            received, received_bytes = list(range(layout.total)), upload.size_bytes
        else:
            slots = self._files.slots(upload)
            received = [
                index
                for index, slot in enumerate(slots)
                if slot.received_bytes and slot.received_bytes == layout.place(index).length_bytes
            ]
            received_bytes = sum(slot.received_bytes for slot in slots)
        return UploadStatus(
            upload=upload,
            received=received,
            received_bytes=received_bytes,
            total_chunks=layout.total if upload.chunk_bytes else None,
            first_chunks=layout.first_chunks,
            space_bytes=self._files.space_bytes(upload.id),
            expires_at=self._expires_at(upload) if upload.state == "open" else None,
        )

    def _expires_at(self, upload: UploadRecord) -> datetime:
        last_change = self._files.last_change(upload.id)
        changed_at = datetime.fromtimestamp(last_change, timezone.utc) if last_change else upload.created_at
        return changed_at + self._limits.expiry


def _new_upload(wish: UploadWish) -> UploadRecord:
    return UploadRecord(
        id=new_id(),
        name=wish.name,
        files=wish.files,
        chunk_bytes=wish.chunk_bytes,
        state="open",
        created_at=datetime.now(timezone.utc),
        expected_sha256=wish.sha256,
        tus_metadata=wish.tus_metadata,
    )


def _with_digests(files: Sequence[UploadFile], same: Sequence[UploadFile]) -> Sequence[UploadFile]:
    """Return files with the digests of the same content; of one file the name may differ."""
    if len(files) == 1 and len(same) == 1:
        return [replace(files[0], sha256=same[0].sha256)]
    digests = {file.path: file.sha256 for file in same}
    return [replace(file, sha256=digests.get(file.path, "")) for file in files]
