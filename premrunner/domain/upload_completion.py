"""The end of an upload: nothing is missing, it is what was meant, and it is handed over to become a model."""

import hmac
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from premrunner.domain.upload_names import check_model_name
from premrunner.domain.uploads import UploadParts, Uploads
from premrunner.errors import DigestMismatch, Forbidden, InvalidRequest, Overloaded, UploadIncomplete, UploadNotFound
from premrunner.events import ImportOptions
from premrunner.records import UploadRecord
from premrunner.storage.upload_files import layout_of
from premrunner.storage.upload_hasher import fingerprint, whole_digest
from premrunner.storage.upload_ledger import Slot

logger = logging.getLogger(__name__)

# The hash is ready, or nearly; only after a restart of the server is there more to do. Proxies wait a minute.
HASH_SECONDS = 50.0
LOOK_EVERY_SECONDS = 0.005
# Another machine on the same folder has brought to disk by then what it took; one that was restarted never does.
ELSEWHERE_SECONDS = 5.0
LOOK_ELSEWHERE_SECONDS = 0.1
# Ranges of missing chunks that a message names.
NAMED_MOST = 20

HANDLE_PREFIX = "upload:"

# Takes over an upload that is to become a model, and returns the sentence that its owner reads.
ImportQueue = Callable[[UploadRecord, ImportOptions | None], str]


@dataclass(frozen=True)
class CompletionWish:
    """What a client says at the end.

    Attributes:
        name: What the model shall be called; empty leaves it.
        total_chunks: How many chunks it has sent; None when it does not say.
        sha256: What all must be; empty when it does not say.
    """

    name: str = ""
    total_chunks: int | None = None
    sha256: str = ""


class Completion:
    """Completes uploads.

    Args:
        uploads: The uploads.
        parts: What they stand on.
    """

    def __init__(self, uploads: Uploads, parts: UploadParts) -> None:
        self._uploads = uploads
        self._store, self._files, self._hashes, self._threads = parts

    def complete(self, upload_id: str, wish: CompletionWish) -> UploadRecord:
        """Return the complete upload; harmless when it was complete already.

        Raises:
            UploadIncomplete: Chunks are missing; it names them.
            DigestMismatch: It is not what was meant; everything is kept, and any chunk can be sent again.
            InvalidRequest: The number of chunks disagrees.
            Overloaded: Its hash is not ready yet; ask again.
            DiskFull: There is no space for the hash.
        """
        upload = self._uploads.get(upload_id)
        if upload.state == "complete":
            _require_digest(wish.sha256, upload.sha256)
            return upload
        _require_total(upload, wish.total_chunks)
        with self._files.completing(upload):
            upload = self._uploads.get(upload_id)
            if upload.state == "complete":  # Another request was faster.
                _require_digest(wish.sha256, upload.sha256)
                return upload
            return self._complete(upload, wish)

    def find(self, upload_id: str) -> UploadRecord:
        """Return an upload.

        Raises:
            UploadNotFound: There is none of that id.
        """
        return self._uploads.get(upload_id)

    def _complete(self, upload: UploadRecord, wish: CompletionWish) -> UploadRecord:
        slots = self._settled_slots(upload)
        self._threads.run(_require_all, upload, slots)
        digests = self._wait_for_digests(upload, slots)
        sha256 = whole_digest([file.path for file in upload.files], digests)
        _require_digest(wish.sha256 or upload.expected_sha256, sha256)
        if wish.name:
            upload = replace(upload, name=check_model_name(wish.name))
        self._threads.run(self._files.make_empty_files, upload)
        here = self._store.find_complete(sha256, upload.size_bytes)
        completed = self._store.complete(upload, sha256, digests)
        if here is not None:  # No second copy.
            self._threads.run(self._files.link, here, completed)
        self._hashes.forget(upload.id)
        logger.info("Upload complete.", extra={"upload_id": upload.id, "size_bytes": upload.size_bytes})
        return completed

    def _settled_slots(self, upload: UploadRecord) -> Sequence[Slot]:
        """Return what is known of each chunk, when all that came is on disk."""
        deadline = time.monotonic() + ELSEWHERE_SECONDS
        while True:
            slots = self._threads.run(self._files.slots, upload)
            if not any(slot.is_elsewhere for slot in slots) or time.monotonic() > deadline:
                return slots
            time.sleep(LOOK_ELSEWHERE_SECONDS)

    def _wait_for_digests(self, upload: UploadRecord, slots: Sequence[Slot]) -> Sequence[str]:
        versions, deadline = fingerprint(slots), time.monotonic() + HASH_SECONDS
        while (digests := self._hashes.digests(upload, versions)) is None:
            if time.monotonic() > deadline:
                raise Overloaded("All bytes are here and are being checked. Ask again.", retry_after_seconds=2)
            self._hashes.follow(upload, is_urgent=True)
            time.sleep(LOOK_EVERY_SECONDS)
        return digests


@dataclass(frozen=True)
class ImportReport:
    """How far an upload is on its way to a model, in the words of the original's status."""

    name: str
    status: str
    message: str


class Handover:
    """Hands complete uploads over to become models.

    Args:
        completion: Completes what only lacks that.
        queue: Takes them over.
    """

    def __init__(self, completion: Completion, queue: ImportQueue) -> None:
        self._completion = completion
        self.queue = queue

    def begin(self, upload_id: str, name: str, handle: str, options: ImportOptions | None = None) -> str:
        """Have an upload made a model, and return the sentence that its owner reads.

        Args:
            upload_id: Which.
            name: What the model shall be called.
            handle: What `handle_of` gave for this upload, and nothing else.
            options: What its owner wants of the model.

        Raises:
            UploadNotFound: There is no such upload.
            Forbidden: The handle is not this upload's.
            UploadIncomplete: Chunks are missing.
        """
        if not hmac.compare_digest(handle.encode(), f"{HANDLE_PREFIX}{upload_id}".encode()):
            raise Forbidden("'filePath' must be the 'path' that completing this upload gave.")
        upload = self._completion.complete(upload_id, CompletionWish())
        return self.queue(replace(upload, name=check_model_name(name)), options)

    def report(self, upload_id: str) -> ImportReport | None:
        """Return how far an upload is; None when there is none of that id."""
        try:
            upload = self._completion.find(upload_id)
        except UploadNotFound:
            return None
        if upload.state == "open":
            return ImportReport(upload.name, "uploading", "Not all bytes are here yet.")
        return ImportReport(upload.name, "uploaded", "All bytes are here. Import it to make a model of it.")


def handle_of(upload: UploadRecord) -> str:
    """Return the word by which clients name a complete upload's bytes; it shows no path of ours."""
    return f"{HANDLE_PREFIX}{upload.id}"


def _require_total(upload: UploadRecord, total_chunks: int | None) -> None:
    if total_chunks is None or upload.chunk_bytes is None:
        return
    total = layout_of(upload).total
    if total_chunks != total:
        raise InvalidRequest(f"'totalChunks' is {total_chunks}, but the upload has {total}.", param="totalChunks")


def _require_all(upload: UploadRecord, slots: Sequence[Slot]) -> None:
    if upload.chunk_bytes is None:
        raise UploadIncomplete("No chunk has arrived yet.", [])
    layout = layout_of(upload)
    missing = [index for index, slot in enumerate(slots) if slot.received_bytes != layout.place(index).length_bytes]
    if missing:
        raise UploadIncomplete(f"{len(missing)} of {layout.total} chunks are missing: {_named(missing)}.", missing)


def index_ranges(indexes: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending indexes as ranges, both ends included."""
    groups = groupby(enumerate(indexes), key=lambda pair: pair[1] - pair[0])
    ranges = [[index for _, index in group] for _, group in groups]
    return [(run[0], run[-1]) for run in ranges]


def _named(indexes: Sequence[int]) -> str:
    ranges = index_ranges(indexes)
    names = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:NAMED_MOST]]
    return ", ".join(names) + (" and more" if len(ranges) > NAMED_MOST else "")


def _require_digest(wanted: str, found: str) -> None:
    if wanted and not hmac.compare_digest(wanted, found):
        raise DigestMismatch(
            f"The upload's sha256 is {found}, not {wanted}. Everything is kept: send the chunks that may be wrong "
            "again, or give it up.",
            param="sha256",
        )
