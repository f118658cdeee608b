"""Which chunks of an upload count: a small file of fixed slots beside the data, one a chunk.

A file and not rows, because it is written from the native threads that move the data, where SQLite would make everybody
wait; and because a slot that is written in place needs no order: any number of processes may write chunks, in any
order, again and again, and may be killed at any moment. A slot says "received" only after the data is on disk.

Each slot holds who writes the chunk now (whoever came last; an earlier one notices and stops, so a client that comes
back need not wait for its dead connection), how many bytes count, and a version that changes when they are to be
replaced, by which the hasher notices.
"""

import fcntl
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from premrunner.errors import UploadConflict
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FILE

# Writer, received bytes, version; padded so that no slot crosses a page.
SLOT = struct.Struct("<QQQ8x")
WRITER_BITS = 63
RECEIVED_AT = 8

COMPLETING = "The upload is being completed."
OVERTAKEN = "This part was sent again meanwhile, or the upload was given up."


@dataclass(frozen=True, slots=True)
class Slot:
    """What is known of one chunk.

    Attributes:
        writer: Random number of whoever wrote last; 0 for nobody.
        received_bytes: Bytes that count; all or none for a chunk, any number for an upload that grows from its start.
        version: Random number that changes before other bytes take the place of those that count.
    """

    writer: int = 0
    received_bytes: int = 0
    version: int = 0


class Ledger:
    """The slots of one upload, open; close it.

    Args:
        file: The ledger; made if it is not there.
        folder: The upload's folder, whose lock keeps writers out while the upload is completed.
    """

    def __init__(self, file: Path, folder: Path) -> None:
        with disk_errors():
            self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        self._folder = folder

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def claim(self, index: int, *, keep: bool = False) -> Slot:
        """Become the writer of a chunk; whoever was before will notice.

        Args:
            index: The chunk.
            keep: Whether the bytes that count stay, because more are to be added behind them.

        Raises:
            UploadConflict: The upload is being completed.
        """
        with disk_errors(), self._locked():
            if is_locked(self._folder):
                raise UploadConflict(COMPLETING)
            before = self.read(index)
            slot = Slot(
                writer=secrets.randbits(WRITER_BITS) or 1,
                received_bytes=before.received_bytes if keep else 0,
                version=before.version if keep and before.version else secrets.randbits(WRITER_BITS),
            )
            self._write(index, slot)
            return slot

    def is_writer(self, index: int, writer: int) -> bool:
        """Tell whether nobody else has claimed the chunk since."""
        return self.read(index).writer == writer

    def commit(self, index: int, writer: int, received_bytes: int) -> None:
        """Count bytes that are on disk.

        Raises:
            UploadConflict: Somebody else has claimed the chunk.
        """
        with disk_errors(), self._locked():
            if not self.is_writer(index, writer):
                raise UploadConflict(OVERTAKEN)
            os.pwrite(self._file, struct.pack("<Q", received_bytes), index * SLOT.size + RECEIVED_AT)

    def wipe(self, total: int) -> None:
        """Let nothing count and no writer go on."""
        with disk_errors(), self._locked():
            os.pwrite(self._file, bytes(total * SLOT.size), 0)

    def read(self, index: int) -> Slot:
        """Return one slot."""
        data = os.pread(self._file, SLOT.size, index * SLOT.size)
        return Slot(*SLOT.unpack(data)) if len(data) == SLOT.size else Slot()

    def read_all(self, total: int) -> list[Slot]:
        """Return every slot, as they were at one moment."""
        with self._locked():
            data = os.pread(self._file, total * SLOT.size, 0)
        return [Slot(*fields) for fields in SLOT.iter_unpack(data.ljust(total * SLOT.size, b"\0"))]

    def _write(self, index: int, slot: Slot) -> None:
        os.pwrite(self._file, SLOT.pack(slot.writer, slot.received_bytes, slot.version), index * SLOT.size)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers of slots out for the microseconds that the block takes."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def try_lock(path: Path, flags: int = os.O_RDONLY) -> int | None:
    """Lock a file or folder against other processes and threads; the kernel unlocks it when we die.

    Args:
        path: What to lock.
        flags: How to open it; a folder can only be opened to be read.

    Returns:
        A descriptor that holds the lock until it is closed; None when somebody else has it.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_locked(path: Path) -> bool:
    """Tell whether somebody holds the lock of a file or folder."""
    descriptor = try_lock(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
