"""The sha256 of an upload, ready when its last chunk is: a native thread follows the chunks through the page cache."""

import _thread
import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
from gevent.monkey import get_original

from premrunner.errors import DiskFull, PremRunnerError, StorageFailed, UploadNotFound
from premrunner.records import UploadRecord
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import DataPaths
from premrunner.storage.upload_files import LEDGER, layout_of
from premrunner.storage.upload_ledger import Ledger, Slot, try_lock

logger = logging.getLogger(__name__)

# The real ones, also where gevent has replaced them: the thread must not belong to a hub.
start_native_thread = get_original("_thread", "start_new_thread")
native_sleep = get_original("time", "sleep")

DIGESTS = "digests"
READ_BYTES = 1024 * 1024
# Between two chunks the thread waits so long before it ends; the next chunk starts another, which goes on from there.
IDLE_SECONDS = 2.0
LOOK_EVERY_SECONDS = 0.02
# Bytes that arrive come first: on a busy machine the hash waits until there is a core for it, or somebody waits for it.
NICENESS = 10
# Uploads whose half-done hash is remembered.
REMEMBERED_MOST = 64


def list_digest(paths: Sequence[str], digests: Sequence[str]) -> str:
    """Return the sha256 of several files: of the lines that ``sha256sum`` prints for them, sorted by path."""
    lines = sorted(zip(paths, digests, strict=True))
    return hashlib.sha256("".join(f"{digest}  {path}\n" for path, digest in lines).encode()).hexdigest()


def whole_digest(paths: Sequence[str], digests: Sequence[str]) -> str:
    """Return the sha256 by which an upload is known: of a lone file its own."""
    return digests[0] if len(digests) == 1 else list_digest(paths, digests)


class UploadHash:
    """The hashes of one upload's files, as far as its chunks have come.

    Args:
        upload: With its chunk size.
        folder: Its folder.
    """

    def __init__(self, upload: UploadRecord, folder: Path) -> None:
        self._layout = layout_of(upload)
        self._files = len(upload.files)
        self._folder = folder
        self._done_bytes = 0  # Of the chunk that is not hashed to its end.
        self._restart()

    @property
    def is_done(self) -> bool:
        """Whether every chunk has been hashed."""
        return len(self._versions) == self._layout.total and not self._done_bytes

    @property
    def digests(self) -> Sequence[str]:
        """Hex digest of each file."""
        return [digest.hexdigest() for digest in self._hashes]

    def fits(self, slots: Sequence[Slot]) -> bool:
        """Tell whether what was hashed still is what is there; else begin again."""
        if [slot.version for slot in slots] == self._versions:
            return True
        self._restart()
        return False

    def advance(self, ledger: Ledger, buffer: memoryview) -> bool:
        """Hash a piece, if there is one that counts and comes next; tell whether there was.

        Args:
            ledger: The upload's.
            buffer: Space for a piece.
        """
        index = len(self._versions) - bool(self._done_bytes)
        if index >= self._layout.total:
            return False
        slot, place = ledger.read(index), self._layout.place(index)
        if self._done_bytes and slot.version != self._versions[index]:
            self._restart()
            return True
        wanted = min(len(buffer), slot.received_bytes - self._done_bytes)
        if wanted <= 0:
            return False
        count = self._hash_piece(place.file_index, place.offset_bytes + self._done_bytes, buffer[:wanted])
        if not self._done_bytes:
            self._versions.append(slot.version)
        self._done_bytes += count
        if self._done_bytes == place.length_bytes:
            self._done_bytes = 0
        return True

    def _hash_piece(self, file_index: int, offset_bytes: int, buffer: memoryview) -> int:
        file = os.open(self._folder / str(file_index), os.O_RDONLY | os.O_CLOEXEC)
        try:
            count = os.preadv(file, [buffer], offset_bytes)
        finally:
            os.close(file)
        self._hashes[file_index].update(buffer[:count])
        return count

    def _restart(self) -> None:
        self._hashes = [hashlib.sha256() for _ in range(self._files)]
        self._versions: list[int] = []
        self._done_bytes = 0


class TrailingHashes:
    """The threads that hash, at most one an upload on this machine.

    Args:
        paths: The data folder.
    """

    def __init__(self, paths: DataPaths) -> None:
        self._paths = paths
        self._hashes: dict[str, UploadHash] = {}
        self._running: dict[str, bool] = {}  # By upload, whether somebody waits for it.
        self._failures: dict[str, PremRunnerError] = {}  # By upload that somebody waits for, until they are told.

    def follow(self, upload: UploadRecord, *, is_urgent: bool = False) -> None:
        """Hash what has come of an upload and what comes next, without making anybody wait.

        Args:
            upload: Which.
            is_urgent: Whether somebody waits for it, so that it may take a core from others.
        """
        if self._running.get(upload.id) is None:
            self._running[upload.id] = is_urgent
            start_native_thread(self._run, (upload, is_urgent))
        elif is_urgent:
            self._running[upload.id] = True  # The patient thread ends; a call like this one starts the other.

    def digests(self, upload: UploadRecord, versions: str) -> Sequence[str] | None:
        """Return the digest of each file if the hash is ready, whichever process made it.

        Args:
            upload: Which.
            versions: The `fingerprint` of its chunks, so that no hash of others counts.

        Raises:
            DiskFull: There is no space for it.
            StorageFailed: The disk did not let it be made.
            UploadNotFound: The upload was given up meanwhile.
        """
        if failure := self._failures.pop(upload.id, None):
            raise failure
        try:
            found = orjson.loads((self._paths.upload(upload.id) / DIGESTS).read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None
        return found["digests"] if found["versions"] == versions else None

    def forget(self, upload_id: str) -> None:
        """Forget an upload that is done with."""
        self._hashes.pop(upload_id, None)
        self._failures.pop(upload_id, None)

    def _run(self, upload: UploadRecord, is_urgent: bool) -> None:
        try:
            if not is_urgent and sys.platform == "linux":  # There a thread has a niceness of its own.
                os.setpriority(os.PRIO_PROCESS, _thread.get_native_id(), NICENESS)
            with disk_errors():
                self._hash(upload, lambda: self._running[upload.id] != is_urgent)
        except (DiskFull, StorageFailed) as error:
            is_there = self._paths.upload(upload.id).exists()  # Else it was given up meanwhile.
            if is_urgent:
                self._failures[upload.id] = error if is_there else UploadNotFound()
            elif is_there:
                logger.warning("Hashing ended early: %s", error, extra={"upload_id": upload.id})
        finally:
            del self._running[upload.id]

    def _hash(self, upload: UploadRecord, must_end: Callable[[], bool]) -> None:
        folder = self._paths.upload(upload.id)
        lock = try_lock(folder / DIGESTS, os.O_RDWR | os.O_CREAT)
        if lock is None:  # Another process is at it.
            return
        ledger = Ledger(folder / LEDGER, folder)
        try:
            digest = self._remember(upload, folder)
            is_done = _hash_to_the_end(digest, ledger, must_end)
            if is_done and digest.fits(slots := ledger.read_all(layout_of(upload).total)):
                result = orjson.dumps({"versions": fingerprint(slots), "digests": digest.digests})
                os.ftruncate(lock, 0)
                os.pwrite(lock, result, 0)
        finally:
            ledger.close()
            os.close(lock)

    def _remember(self, upload: UploadRecord, folder: Path) -> UploadHash:
        digest = self._hashes.pop(upload.id, None) or UploadHash(upload, folder)
        self._hashes[upload.id] = digest
        while len(self._hashes) > REMEMBERED_MOST:
            del self._hashes[next(iter(self._hashes))]
        return digest


def _hash_to_the_end(digest: UploadHash, ledger: Ledger, must_end: Callable[[], bool]) -> bool:
    """Hash until all is done, or nothing has come for a while, or another thread shall go on; tell whether it is."""
    buffer = memoryview(bytearray(READ_BYTES))
    last_progress = time.monotonic()
    while not digest.is_done and not must_end():
        if digest.advance(ledger, buffer):
            last_progress = time.monotonic()
        elif time.monotonic() - last_progress > IDLE_SECONDS:
            return False
        else:
            native_sleep(LOOK_EVERY_SECONDS)
    return digest.is_done


def fingerprint(slots: Sequence[Slot]) -> str:
    """Return what stands for the versions of all chunks."""
    return hashlib.sha256(b"".join(slot.version.to_bytes(8, "little") for slot in slots)).hexdigest()
