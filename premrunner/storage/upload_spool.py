"""Keep bytes that arrive before it is known where they belong, as in a form whose file stands before its fields."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from premrunner.errors import UploadTooLarge
from premrunner.net.pipes import FromPipe, Sink, can_splice, empty_pipe, open_pipe
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FILE
from premrunner.storage.upload_writer import WRITE_BACK_BYTES, begin_write_back, sync_data, write_all

# For larger writes ext4 may take page-cache folios so large that a page costs ten times as much (seen on Linux 6.18).
COPY_BYTES = 256 * 1024


class Spool:
    """A file of its own, on the disk of the uploads; deleted when it is closed, unless it was moved.

    Args:
        folder: Where it lies meanwhile.
        most_bytes: How many bytes it takes.
        hashes: Whether to take the sha256 of what comes.
    """

    def __init__(self, folder: Path, most_bytes: int, *, hashes: bool) -> None:
        self._path = folder / secrets.token_hex(12)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
        self._hash = hashlib.sha256() if hashes else None
        self._most_bytes = most_bytes
        self._flushed = 0
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """Hex digest of what has come."""
        return self._hash.hexdigest() if self._hash else ""

    @property
    def write_from(self) -> FromPipe | None:
        """What takes bytes that lie in a pipe; None where they are hashed on their way."""
        return None if self._hash else self._write_from

    def write(self, data: memoryview) -> None:
        """Take more bytes.

        Raises:
            UploadTooLarge: They are more than it takes.
            DiskFull: There is no space.
        """
        with self._taking(len(data)):
            write_all(self._file, data, self.size_bytes)
            if self._hash:
                self._hash.update(data)

    def _write_from(self, pipe: int, count: int) -> None:
        with self._taking(count):
            empty_pipe(pipe, self._file, count, self.size_bytes)

    @contextmanager
    def _taking(self, count: int) -> Iterator[None]:
        if self.size_bytes + count > self._most_bytes:
            raise UploadTooLarge(f"The file has more than {self._most_bytes} bytes (MAX_UPLOAD_BYTES).")
        with disk_errors():
            yield
            self.size_bytes += count
            # The kind that is hashed stays; the other is soon deleted, and the disk need not see it.
            if self._hash and self.size_bytes - self._flushed >= WRITE_BACK_BYTES:
                begin_write_back(self._file, self._flushed, self.size_bytes - self._flushed)
                self._flushed = self.size_bytes

    def copy_to(self, sink: Sink) -> None:
        """Give everything to a sink, piece by piece."""
        if can_splice() and (write_from := sink.write_from):
            with open_pipe() as (outlet, inlet):
                offset = 0
                while count := os.splice(self._file, inlet, COPY_BYTES, offset_src=offset):
                    write_from(outlet, count)
                    offset += count
            return
        buffer = memoryview(bytearray(COPY_BYTES))
        offset = 0
        while count := os.preadv(self._file, [buffer], offset):
            sink.write(buffer[:count])
            offset += count

    def move(self, target: Path) -> None:
        """Give the file its final name, once it is on disk."""
        sync_data(self._file)
        self._path.rename(target)

    def close(self) -> None:
        """Delete the file, unless it was moved."""
        os.close(self._file)
        self._path.unlink(missing_ok=True)
