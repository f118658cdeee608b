"""Write the bytes of one chunk to their place and take down that they have come."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

from premrunner.errors import DigestMismatch, InvalidRequest, UploadConflict
from premrunner.net.pipes import FromPipe, empty_pipe
from premrunner.records import Digest
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.upload_layout import ChunkPlace
from premrunner.storage.upload_ledger import OVERTAKEN, Ledger, this_boot

# The disk begins to write this soon, so that little is left to wait for at the end of a chunk.
WRITE_BACK_BYTES = 8 * 1024 * 1024
# An upload that grows from its start counts what it has so often; a killed process loses no more.
CHECKPOINT_BYTES = 64 * 1024 * 1024


class ChunkWriter:
    """Takes one chunk's bytes in order. Every method blocks: call them on a native thread.

    Args:
        data: Descriptor of the chunk's file, which the writer closes.
        ledger: The upload's ledger, which the writer closes.
        place: Where the chunk lies.
        digest: What the bytes must have; None for no check.
        grows: Whether the bytes are added behind those that count already, and count without being complete.
    """

    def __init__(
        self, data: int, ledger: Ledger, place: ChunkPlace, digest: Digest | None = None, *, grows: bool = False
    ) -> None:
        self._data = data
        self._ledger = ledger
        self._place = place
        self._expected = digest
        self._hash = hashlib.new(digest.algorithm, usedforsecurity=False) if digest else None
        self._grows = grows
        self._is_open = True
        try:
            self._slot = ledger.claim(place.index, keep=grows)
        except BaseException:
            self.close()
            raise
        self.end_bytes = self._slot.received_bytes
        self._counted = self._flushed = self.end_bytes

    @property
    def begin_bytes(self) -> int:
        """Where in the chunk the first byte goes."""
        return self._slot.received_bytes

    @property
    def write_from(self) -> FromPipe | None:
        """What takes bytes that lie in a pipe; None where they are hashed on their way."""
        return None if self._hash else self._write_from

    def write(self, data: memoryview) -> None:
        """Take more bytes.

        Raises:
            InvalidRequest: They would pass the chunk's end.
            UploadConflict: Somebody else writes this chunk now.
            DiskFull: There is no space.
        """
        with self._taking(len(data)) as offset_bytes:
            write_all(self._data, data, offset_bytes)
            if self._hash:
                self._hash.update(data)

    def _write_from(self, pipe: int, count: int) -> None:
        with self._taking(count) as offset_bytes:
            empty_pipe(pipe, self._data, count, offset_bytes)

    @contextmanager
    def _taking(self, count: int) -> Iterator[int]:
        """Yield where so many bytes go."""
        if self.end_bytes + count > self._place.length_bytes:
            raise InvalidRequest(f"Chunk {self._place.index} is larger than its {self._place.length_bytes} bytes.")
        with disk_errors():
            if not self._ledger.is_writer(self._place.index, self._slot.writer):
                raise UploadConflict(OVERTAKEN)
            yield self._place.offset_bytes + self.end_bytes
            self.end_bytes += count
            if self.end_bytes - self._flushed >= WRITE_BACK_BYTES:
                self._begin_write_back()
        if self._grows and not self._hash and self.end_bytes - self._counted >= CHECKPOINT_BYTES:
            self._count()

    def finish(self) -> None:
        """Take down that the chunk has come; the disk writes it meanwhile, and what grows is on disk already.

        Raises:
            InvalidRequest: Bytes are missing.
            DigestMismatch: They are not the ones that were meant.
            UploadConflict: Somebody else writes this chunk now.
            DiskFull: There is no space.
        """
        if not self._grows and self.end_bytes != self._place.length_bytes:
            raise InvalidRequest(
                f"Chunk {self._place.index} must have {self._place.length_bytes} bytes, but {self.end_bytes} came."
            )
        if self._hash and self._expected and self._hash.digest() != self._expected.value:
            raise DigestMismatch(
                f"The bytes that came have another {self._expected.algorithm} digest than was announced. Send them "
                "again."
            )
        if self._grows or this_boot() is None:
            self._count()
            return
        self._begin_write_back()
        self._ledger.commit(self._place.index, self._slot.writer, self.end_bytes, is_on_disk=False)

    def keep(self) -> None:
        """Count what has come of a part that was cut; without effect where a part counts whole or not at all."""
        if self._grows and not self._hash:
            self._count()

    def close(self) -> None:
        """Close the files."""
        if self._is_open:
            self._is_open = False
            os.close(self._data)
            self._ledger.close()

    def _count(self) -> None:
        """Take down what has come, once it is on disk."""
        with disk_errors():
            sync_data(self._data)
        self._ledger.commit(self._place.index, self._slot.writer, self.end_bytes)
        self._counted = self.end_bytes

    def _begin_write_back(self) -> None:
        begin_write_back(self._data, self._place.offset_bytes + self._flushed, self.end_bytes - self._flushed)
        self._flushed = self.end_bytes


def write_all(descriptor: int, data: memoryview, offset_bytes: int) -> None:
    """Write all of the data at an offset."""
    while data:
        written = os.pwrite(descriptor, data, offset_bytes)
        data, offset_bytes = data[written:], offset_bytes + written


def begin_write_back(descriptor: int, offset_bytes: int, length_bytes: int) -> None:
    """Have the disk begin to write a range, without waiting for it.

    For dirty pages Linux takes "not needed" to mean "write it out"; PostgreSQL does the same.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset_bytes, length_bytes, os.POSIX_FADV_DONTNEED)


def sync_data(descriptor: int) -> None:
    """Wait until a file's data is on disk."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)
