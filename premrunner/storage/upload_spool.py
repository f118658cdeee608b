"""Keep bytes that arrive before it is known where they belong, as in a form whose file stands before its fields."""

import hashlib
import os
import secrets
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from premrunner.errors import UploadTooLarge
from premrunner.net.pipes import PIPE_BYTES, FromPipe, Sink, can_splice, empty_pipe, open_pipe
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FILE
from premrunner.storage.upload_writer import WRITE_BACK_BYTES, begin_write_back, sync_data, write_all

COPY_BYTES = PIPE_BYTES
# What the next forms may write over: so many files of at most so many bytes, a proposed chunk and some more.
SPARES_MOST = 2
SPARE_BYTES = 64 * 1024 * 1024


class SpareFiles:
    """Files without names for spools; one that is used again is already in memory, which saves a third of the time.

    Args:
        folder: On the disk of the uploads; a killed process leaves nothing there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[IO[bytes]] = []
        weakref.finalize(self, _close_all, self._files)

    def take(self) -> IO[bytes]:
        """Return a file to write over."""
        with suppress(IndexError):
            return self._files.pop()
        return TemporaryFile(dir=self._folder, buffering=0)

    def give_back(self, file: IO[bytes], size_bytes: int) -> None:
        """Keep a file for later, or close it.

        Args:
            file: One that was taken.
            size_bytes: What was written to it.
        """
        if size_bytes <= SPARE_BYTES and len(self._files) < SPARES_MOST:
            self._files.append(file)
        else:
            file.close()


class Spool:
    """Bytes that are copied to their place.

    Args:
        spares: Where its file comes from, and goes when it is closed.
        most_bytes: How many bytes it takes.
    """

    def __init__(self, spares: SpareFiles, most_bytes: int) -> None:
        self._spares = spares
        self._file = spares.take()
        self._most_bytes = most_bytes
        self.size_bytes = 0

    def write(self, data: memoryview) -> None:
        """Take more bytes.

        Raises:
            UploadTooLarge: They are more than it takes.
            DiskFull: There is no space.
        """
        with _taking(self.size_bytes + len(data), self._most_bytes):
            write_all(self._file.fileno(), data, self.size_bytes)
        self.size_bytes += len(data)

    @property
    def write_from(self) -> FromPipe:
        """What takes bytes that lie in a pipe."""
        return self._write_from

    def _write_from(self, pipe: int, count: int) -> None:
        with _taking(self.size_bytes + count, self._most_bytes):
            empty_pipe(pipe, self._file.fileno(), count, self.size_bytes)
        self.size_bytes += count

    def copy_to(self, sink: Sink) -> None:
        """Give everything to a sink, piece by piece."""
        if can_splice() and (write_from := sink.write_from):
            with open_pipe() as (outlet, inlet):
                offset = 0
                while most := min(COPY_BYTES, self.size_bytes - offset):
                    count = os.splice(self._file.fileno(), inlet, most, offset_src=offset)
                    write_from(outlet, count)
                    offset += count
            return
        buffer, offset = memoryview(bytearray(COPY_BYTES)), 0
        while most := min(COPY_BYTES, self.size_bytes - offset):
            count = os.preadv(self._file.fileno(), [buffer[:most]], offset)
            sink.write(buffer[:count])
            offset += count

    def close(self) -> None:
        """Give the file back."""
        self._spares.give_back(self._file, self.size_bytes)


class IncomingFile:
    """A whole file: hashed on its way, and moved to its place.

    Args:
        folder: Where it lies meanwhile.
        most_bytes: How many bytes it takes.
    """

    write_from = None

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._path = folder / secrets.token_hex(12)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
        self._hash = hashlib.sha256()
        self._most_bytes = most_bytes
        self._flushed = 0
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """Hex digest of what has come."""
        return self._hash.hexdigest()

    def write(self, data: memoryview) -> None:
        """Take more bytes.

        Raises:
            UploadTooLarge: They are more than it takes.
            DiskFull: There is no space.
        """
        with _taking(self.size_bytes + len(data), self._most_bytes):
            write_all(self._file, data, self.size_bytes)
            self.size_bytes += len(data)
            if self.size_bytes - self._flushed >= WRITE_BACK_BYTES:
                begin_write_back(self._file, self._flushed, self.size_bytes - self._flushed)
                self._flushed = self.size_bytes
        self._hash.update(data)

    def move(self, target: Path) -> None:
        """Give the file its final name, once it is on disk."""
        sync_data(self._file)
        self._path.rename(target)

    def close(self) -> None:
        """Delete the file, unless it was moved."""
        os.close(self._file)
        self._path.unlink(missing_ok=True)


def _close_all(files: list[IO[bytes]]) -> None:
    for file in files:
        file.close()


@contextmanager
def _taking(size_bytes: int, most_bytes: int) -> Iterator[None]:
    if size_bytes > most_bytes:
        raise UploadTooLarge(f"The file has more than {most_bytes} bytes (MAX_UPLOAD_BYTES).")
    with disk_errors():
        yield
