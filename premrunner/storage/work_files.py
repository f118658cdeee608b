"""Work files of imports: a folder each, which exactly one process may use at a time."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from premrunner.errors import ImportConflict, ModelNotFound
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FILE, PRIVATE_FOLDER, DataPaths
from premrunner.storage.upload_ledger import try_lock

BLOCK_BYTES = 512  # The unit of st_blocks.
_LOCK_SUFFIX = ".lock"


class WorkFiles:
    """The folders below ``work``.

    Args:
        paths: The data folder.
    """

    def __init__(self, paths: DataPaths) -> None:
        self._paths = paths

    @property
    def root(self) -> Path:
        """The data folder, to which the paths of kept results are relative."""
        return self._paths.root

    @contextmanager
    def claim(self, import_id: str) -> Iterator[None]:
        """Be the only one who works on an import while the block runs; the kernel lets go when we die.

        Raises:
            ImportConflict: Somebody else does.
        """
        lock = self._paths.work / f"{import_id}{_LOCK_SUFFIX}"
        with disk_errors():
            descriptor = try_lock(lock, os.O_RDWR | os.O_CREAT)
            if descriptor is not None and not _is_still(lock, descriptor):
                os.close(descriptor)  # Its holder removed it between our opening and locking it.
                descriptor = None
        if descriptor is None:
            raise ImportConflict("Another worker is at this import.")
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            os.close(descriptor)

    def drop(self, import_id: str, name: str) -> None:
        """Delete the folder of one stage's files."""
        shutil.rmtree(self._paths.work_folder(import_id) / name, ignore_errors=True)

    def empty(self, import_id: str, name: str) -> Path:
        """Return a folder for one stage's files with nothing in it."""
        self.drop(import_id, name)
        folder = self._paths.work_folder(import_id) / name
        with disk_errors():
            folder.mkdir(mode=PRIVATE_FOLDER, parents=True)
        return folder

    def space_bytes(self, import_id: str) -> int:
        """Return the bytes that deleting an import's work files would free."""
        return space_bytes(self._paths.work_folder(import_id))

    def remove(self, import_id: str) -> int:
        """Delete an import's work files and return the bytes that came free."""
        folder = self._paths.work_folder(import_id)
        freed = space_bytes(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return freed

    def ids(self) -> Sequence[str]:
        """Return the imports that have work files."""
        with disk_errors():
            return [path.name for path in self._paths.work.iterdir() if path.suffix != _LOCK_SUFFIX]

    def remove_stray(self, name: str) -> int:
        """Delete what lies among the work files and belongs to no import; return the bytes that came free."""
        with suppress(ModelNotFound):
            return self.remove(name)
        return 0  # Not ours: somebody put it there.

    def free_bytes(self) -> int:
        """Return the space that is left on the disk."""
        with disk_errors():
            return shutil.disk_usage(self._paths.work).free


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def create_file(path: Path) -> int:
    """Return a descriptor of a new file, whose folders are made; it never follows a link or replaces anything."""
    path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)


def space_bytes(folder: Path) -> int:
    """Return the bytes that deleting a folder would free; what is linked elsewhere does not count."""
    freed = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            entry = path.lstat()
            if entry.st_nlink == 1:
                freed += entry.st_blocks * BLOCK_BYTES
    return freed
