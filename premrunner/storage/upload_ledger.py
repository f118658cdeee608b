"""Which chunks of an upload count: a small file of fixed slots beside the data, one a chunk.

A file and not rows, because it is written from the native threads that move the data, where SQLite would make everybody
wait; and because a slot that is written in place needs no order: any number of processes may write chunks, in any
order, again and again, and may be killed at any moment.

Each slot holds who writes the chunk now (whoever came last; an earlier one notices and stops, so a client that comes
back need not wait for its dead connection), how many bytes have come, a version that changes when they are to be
replaced, by which the hasher notices, and the boot of the machine whose memory the bytes are in until they are on disk:
a killed process loses nothing of them, and a machine that starts again finds another number there and counts none.
"""

import fcntl
import os
import secrets
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from premrunner.errors import UploadConflict
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FILE

# Writer, bytes that have come, version, boot; no slot crosses a page.
SLOT = struct.Struct("<QQQQ")
WRITER_BITS = 63
ON_DISK = 0

COMPLETING = "The upload is being completed."
OVERTAKEN = "This part was sent again meanwhile, or the upload was given up."


@cache
def this_boot() -> int | None:
    """Return a number that this machine has until it starts anew; None where the system gives none."""
    try:
        boot = uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    except (OSError, ValueError):
        return None
    return boot.int >> 64 or 1


@dataclass(frozen=True, slots=True)
class Slot:
    """What is known of one chunk.

    Attributes:
        writer: Random number of whoever wrote last; 0 for nobody.
        come_bytes: Bytes that have come; all or none for a chunk, any number for an upload that grows from its start.
        version: Random number that changes before other bytes take the place of those that have come.
        boot: ``ON_DISK``, or the `this_boot` of the machine in whose memory they are.
    """

    writer: int = 0
    come_bytes: int = 0
    version: int = 0
    boot: int = ON_DISK

    @property
    def received_bytes(self) -> int:
        """Bytes that can be read here: on disk, or in this machine's memory."""
        return 0 if self.is_elsewhere else self.come_bytes

    @property
    def is_in_memory(self) -> bool:
        """Whether they are in this machine's memory, and nobody has seen them on disk."""
        return self.boot != ON_DISK and self.boot == this_boot()

    @property
    def is_elsewhere(self) -> bool:
        """Whether they are in the memory of another machine, or were in that of this one before it started anew."""
        return self.boot not in (ON_DISK, this_boot())


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
                come_bytes=before.received_bytes if keep else 0,
                version=before.version if keep and before.version else secrets.randbits(WRITER_BITS),
            )
            self._write(index, slot)
            return slot

    def is_writer(self, index: int, writer: int) -> bool:
        """Tell whether nobody else has claimed the chunk since."""
        return self.read(index).writer == writer

    def commit(self, index: int, writer: int, come_bytes: int, *, is_on_disk: bool = True) -> None:
        """Take down bytes that have come.

        Args:
            index: The chunk.
            writer: Who has written them.
            come_bytes: How many the chunk has now.
            is_on_disk: Whether they are; where the machine has no `this_boot`, they must be.

        Raises:
            UploadConflict: Somebody else has claimed the chunk.
        """
        with disk_errors(), self._locked():
            if not self.is_writer(index, writer):
                raise UploadConflict(OVERTAKEN)
            boot = ON_DISK if is_on_disk else this_boot() or ON_DISK
            self._write(index, replace(self.read(index), come_bytes=come_bytes, boot=boot))

    def settle(self, index: int, slot: Slot) -> None:
        """Say of bytes that were in memory that they are on disk; not of what came later.

        Args:
            index: The chunk.
            slot: As it was before the disk was asked.
        """
        self._replace(index, slot, replace(slot, boot=ON_DISK))

    def lose_what_is_in_memory(self, total: int) -> None:
        """Let nothing count that nobody has seen on disk."""
        for index, slot in enumerate(self.read_all(total)):
            if slot.is_in_memory:
                self._replace(index, slot, replace(slot, come_bytes=0, boot=ON_DISK))

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

    def _replace(self, index: int, before: Slot, after: Slot) -> None:
        """Write a slot, unless it is another one by now."""
        with disk_errors(), self._locked():
            if self.read(index) == before:
                self._write(index, after)

    def _write(self, index: int, slot: Slot) -> None:
        os.pwrite(self._file, SLOT.pack(slot.writer, slot.come_bytes, slot.version, slot.boot), index * SLOT.size)

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
