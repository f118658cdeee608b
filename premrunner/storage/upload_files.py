"""The files of uploads below DATA_PATH. Every method that touches the disk blocks: call it on a native thread.

An upload's folder holds its files under their numbers, the ledger of its chunks and, at the end, its digests. It comes
into being with the first byte, so uploads that were opened and abandoned take no space.
"""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path

from premrunner.errors import StorageFailed, UploadConflict, UploadNotFound
from premrunner.records import Digest, UploadRecord, is_id
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FILE, PRIVATE_FOLDER, DataPaths
from premrunner.storage.upload_layout import ChunkLayout, ChunkPlace
from premrunner.storage.upload_ledger import Ledger, Slot, try_lock
from premrunner.storage.upload_spool import IncomingFile, SpareFiles, Spool
from premrunner.storage.upload_writer import ChunkWriter, sync_data

LEDGER = "ledger"
# A claim probes the lock for microseconds; another completion holds it until it has hashed what was left.
LOCK_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.01
BLOCK_BYTES = 512  # The unit of st_blocks, whatever the file system's own is.


def layout_of(upload: UploadRecord) -> ChunkLayout:
    """Return where an upload's chunks lie; with no chunk size yet, as if each file were one."""
    sizes = [file.size_bytes for file in upload.files]
    return ChunkLayout(sizes, upload.chunk_bytes or max(sizes))


class UploadFiles:
    """What uploads have on disk.

    Args:
        paths: The data folder.
    """

    def __init__(self, paths: DataPaths) -> None:
        self._paths = paths
        self._spares = SpareFiles(paths.incoming_uploads)

    def open_chunk(
        self, upload: UploadRecord, place: ChunkPlace, digest: Digest | None = None, *, grows: bool = False
    ) -> ChunkWriter:
        """Return a writer for one chunk, with the file's whole space reserved.

        Raises:
            DiskFull: The file does not fit.
            UploadConflict: The upload is being completed.
            UploadNotFound: The upload was given up meanwhile.
        """
        folder = self._paths.upload(upload.id)
        try:
            with disk_errors():
                folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
                size = upload.files[place.file_index].size_bytes
                data = _open_allocated(self._file(upload.id, place.file_index), size)
            try:
                ledger = Ledger(folder / LEDGER, folder)
            except BaseException:
                os.close(data)
                raise
            return ChunkWriter(data, ledger, place, digest, grows=grows)
        except StorageFailed as failure:
            if folder.exists():
                raise
            raise UploadNotFound from failure

    def open_spool(self, most_bytes: int) -> Spool:
        """Return space for at most so many bytes of a chunk whose place is not known yet; close it."""
        with disk_errors():
            return Spool(self._spares, most_bytes)

    def open_incoming(self, most_bytes: int) -> IncomingFile:
        """Return a file of at most so many bytes that comes in one piece; close it."""
        with disk_errors():
            return IncomingFile(self._paths.incoming_uploads, most_bytes)

    def adopt(self, upload_id: str, file: IncomingFile) -> None:
        """Make a file the only one of an upload."""
        with disk_errors():
            self._paths.upload(upload_id).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            file.move(self._file(upload_id, 0))

    def slots(self, upload: UploadRecord) -> Sequence[Slot]:
        """Return what is known of each chunk; what has come here is on disk then.

        Raises:
            DiskFull: There is no space for what has come; it does not count any more.
            StorageFailed: The disk did not take it; neither does it.
        """
        layout = layout_of(upload)
        if upload.chunk_bytes is None or not (self._paths.upload(upload.id) / LEDGER).exists():
            return [Slot()] * layout.total
        with self._ledger(upload.id) as ledger:
            slots = ledger.read_all(layout.total)
            in_memory = [(layout.place(index), slot) for index, slot in enumerate(slots) if slot.is_in_memory]
            if not in_memory:
                return slots
            self._settle(upload, ledger, in_memory)
            return ledger.read_all(layout.total)

    def settle(self, upload: UploadRecord, place: ChunkPlace) -> None:
        """Wait until a chunk that has come is on disk.

        Raises:
            DiskFull: There is no space for it; it does not count any more.
            StorageFailed: The disk did not take it; neither does it.
        """
        if (self._paths.upload(upload.id) / LEDGER).exists():  # Else the upload was given up.
            with self._ledger(upload.id) as ledger:
                slot = ledger.read(place.index)
                if slot.is_in_memory:
                    self._settle(upload, ledger, [(place, slot)])

    def _settle(self, upload: UploadRecord, ledger: Ledger, in_memory: Sequence[tuple[ChunkPlace, Slot]]) -> None:
        """Bring chunks to disk, file by file."""
        for file_index, waiting in groupby(in_memory, key=lambda pair: pair[0].file_index):
            try:
                self._sync(upload.id, file_index)
            except StorageFailed:
                # The system tells of a failure once, and not whose bytes they were.
                ledger.lose_what_is_in_memory(layout_of(upload).total)
                raise
            for place, slot in waiting:
                ledger.settle(place.index, slot)

    def _sync(self, upload_id: str, file_index: int) -> None:
        with disk_errors():
            file = os.open(self._file(upload_id, file_index), os.O_RDWR | os.O_CLOEXEC)
            try:
                sync_data(file)
            finally:
                os.close(file)

    @contextmanager
    def _ledger(self, upload_id: str) -> Iterator[Ledger]:
        folder = self._paths.upload(upload_id)
        ledger = Ledger(folder / LEDGER, folder)
        try:
            yield ledger
        finally:
            ledger.close()

    @contextmanager
    def completing(self, upload: UploadRecord) -> Iterator[None]:
        """Keep writers and other completions of an upload out of the block; a killed process lets them in again.

        Raises:
            UploadConflict: Another completion is at work.
        """
        folder = self._paths.upload(upload.id)
        with disk_errors():
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        deadline = time.monotonic() + LOCK_SECONDS
        while (descriptor := try_lock(folder)) is None:
            if time.monotonic() > deadline:
                raise UploadConflict("The upload is being completed by another request. Ask again in a moment.")
            time.sleep(LOOK_EVERY_SECONDS)
        try:
            yield
        finally:
            os.close(descriptor)

    def make_empty_files(self, upload: UploadRecord) -> None:
        """Make the files that have no bytes and so no chunk."""
        with disk_errors():
            for index, file in enumerate(upload.files):
                if not file.size_bytes:
                    os.close(_open_allocated(self._file(upload.id, index), 0))

    def link(self, source: UploadRecord, target: UploadRecord) -> bool:
        """Let two uploads of the same content share their files on disk; False where the file system cannot.

        Args:
            source: A complete upload.
            target: One whose files have digests of the source's files; what it has on disk is replaced.
        """
        folder = self._paths.upload(target.id)
        numbers = {file.sha256: index for index, file in enumerate(source.files)}
        try:
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            for index, file in enumerate(target.files):
                draft = folder / f"{index}.same"
                draft.unlink(missing_ok=True)
                draft.hardlink_to(self._file(source.id, numbers[file.sha256]))
                draft.replace(self._file(target.id, index))
        except (OSError, KeyError):
            return False
        return True

    def stored(self, upload: UploadRecord) -> Sequence[Path]:
        """Return where each file of an upload lies, in the order of ``upload.files``."""
        return [self._file(upload.id, index) for index in range(len(upload.files))]

    def space_bytes(self, upload_id: str) -> int:
        """Return the bytes that deleting an upload would free; what another upload shares does not count."""
        return sum(entry.st_blocks * BLOCK_BYTES for entry in self._entries(upload_id) if entry.st_nlink == 1)

    def last_change(self, upload_id: str) -> float:
        """Return when bytes last came, in seconds since 1970; 0.0 for never."""
        return max((entry.st_mtime for entry in self._entries(upload_id)), default=0.0)

    def free_bytes(self) -> int:
        """Return the space that is left on the disk."""
        with disk_errors():
            return shutil.disk_usage(self._paths.uploads).free

    def remove(self, upload: UploadRecord) -> int:
        """Delete an upload's files, stop whoever writes them, and return the bytes that came free."""
        folder = self._paths.upload(upload.id)
        if (folder / LEDGER).exists():
            with self._ledger(upload.id) as ledger:
                ledger.wipe(layout_of(upload).total)
        return self.remove_folder(upload.id)

    def folders(self) -> Sequence[str]:
        """Return the ids of the uploads that have a folder."""
        with disk_errors():
            return [path.name for path in self._paths.uploads.iterdir() if is_id(path.name)]

    def remove_folder(self, upload_id: str) -> int:
        """Delete the folder of an upload that nobody knows any more, and return the bytes that came free.

        It is moved away first, so that whoever still works in it cannot make new files while it is being emptied.
        """
        freed = self.space_bytes(upload_id)
        gone = self._paths.incoming_uploads / secrets.token_hex(12)
        with suppress(FileNotFoundError):
            self._paths.upload(upload_id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        return freed

    def clean_spools(self, before: float) -> int:
        """Delete what killed processes left half received or half deleted, and return the bytes that came free.

        Args:
            before: Seconds since 1970; younger ones may be in use.
        """
        freed = 0
        with disk_errors():
            for path in self._paths.incoming_uploads.iterdir():
                with suppress(FileNotFoundError):
                    entry = path.stat()
                    if path.is_dir():
                        shutil.rmtree(path, ignore_errors=True)
                    elif entry.st_mtime < before:
                        path.unlink()
                        freed += entry.st_blocks * BLOCK_BYTES
        return freed

    def _file(self, upload_id: str, index: int) -> Path:
        return self._paths.upload(upload_id) / str(index)

    def _entries(self, upload_id: str) -> Sequence[os.stat_result]:
        entries = []
        with suppress(FileNotFoundError):
            for path in self._paths.upload(upload_id).iterdir():
                with suppress(FileNotFoundError):
                    entries.append(path.stat())
        return entries


def _open_allocated(path: Path, size_bytes: int) -> int:
    """Open a file, giving it its whole space if it does not have it yet."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_FILE)
    try:
        size_before = os.fstat(descriptor).st_size
        if size_before != size_bytes:
            try:
                _allocate(descriptor, size_bytes)
            except OSError:
                os.ftruncate(descriptor, size_before)  # Gives back the part that was there.
                raise
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _allocate(descriptor: int, size_bytes: int) -> None:
    if size_bytes and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
    os.ftruncate(descriptor, size_bytes)  # Holes: the disk may yet be full before the end.
