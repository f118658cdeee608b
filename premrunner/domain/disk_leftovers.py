"""What may go from the disk, kind by kind: never what an import, an upload or the engine is using."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from premrunner.domain.uploads import Uploads
from premrunner.errors import ImportConflict, UploadNotFound
from premrunner.events import ENDED
from premrunner.net.native_threads import NativeThreads
from premrunner.records import UploadRecord, is_id
from premrunner.storage.disk_use import DiskMeter, remove
from premrunner.storage.import_store import ImportStore
from premrunner.storage.upload_files import UploadFiles
from premrunner.storage.upload_store import UploadStore
from premrunner.storage.work_files import WorkFiles

# An upload that was silent for so long has been left, or waits for somebody who can begin anew.
QUIET_SECONDS = 600.0


class Leftovers(Protocol):
    """Things of one kind that may go."""

    def find(self) -> Mapping[str, int]:
        """Return their names with the bytes that each would free."""

    def remove(self, name: str) -> int:
        """Delete one, if it may still go, and return the bytes that came free."""


class FileLeftovers:
    """Files and folders that nobody needs.

    Args:
        find: Lists them.
        threads: For what touches the disk.
    """

    def __init__(self, find: Callable[[], list[Path]], threads: NativeThreads) -> None:
        self._find = find
        self._threads = threads

    def find(self) -> Mapping[str, int]:
        """Return their names with their sizes."""
        places = self._find()
        meter = DiskMeter()
        return self._threads.run(lambda: {place.name: meter.measure(place).size_bytes for place in places})

    def remove(self, name: str) -> int:
        """Delete one that is still found."""
        place = next((place for place in self._find() if place.name == name), None)
        return self._threads.run(remove, place) if place else 0


class UploadLeftovers:
    """Uploads that are silent and whose import does not wait for them.

    Args:
        state: ``open`` for unfinished ones, ``complete`` for those of imports that failed or never began.
        uploads: Gives them up.
        rows: Their rows.
        files: Their files.
        imports: Which of them are imported now.
        threads: For what touches the disk.
    """

    def __init__(
        self,
        state: Literal["open", "complete"],
        uploads: Uploads,
        rows: UploadStore,
        files: UploadFiles,
        imports: ImportStore,
        threads: NativeThreads,
    ) -> None:
        self._state = state
        self._uploads = uploads
        self._rows = rows
        self._files = files
        self._imports = imports
        self._threads = threads

    def find(self) -> Mapping[str, int]:
        """Return their ids with the bytes that each would free."""
        wanted = {record.id for record in self._imports.waiting()}
        uploads = [upload for upload in self._rows.all() if upload.state == self._state and upload.id not in wanted]
        return self._threads.run(
            lambda: {upload.id: self._files.space_bytes(upload.id) for upload in uploads if self._is_quiet(upload)}
        )

    def remove(self, name: str) -> int:
        """Give one up, unless its import is wanted by now."""
        if _is_wanted(self._imports, name):
            return 0
        with suppress(UploadNotFound):  # Somebody else was faster.
            return self._uploads.give_up(name)
        return 0

    def _is_quiet(self, upload: UploadRecord) -> bool:
        last_change = self._files.last_change(upload.id) or upload.created_at.timestamp()
        if upload.completed_at:  # Its files may be older: another upload's, of the same content.
            last_change = max(last_change, upload.completed_at.timestamp())
        return last_change < time.time() - QUIET_SECONDS


class WorkLeftovers:
    """Work files of imports that have ended; one that failed begins from its upload when it is tried again."""

    def __init__(self, imports: ImportStore, work: WorkFiles, threads: NativeThreads) -> None:
        self._imports = imports
        self._work = work
        self._threads = threads

    def find(self) -> Mapping[str, int]:
        """Return the ids of their imports with the bytes that each would free."""
        names = [name for name in self._threads.run(self._work.ids) if is_id(name)]
        ended = [name for name in names if not _is_wanted(self._imports, name)]
        return self._threads.run(lambda: {name: self._work.space_bytes(name) for name in ended})

    def remove(self, name: str) -> int:
        """Delete them, unless the import is at work again."""
        try:
            with self._work.claim(name):
                if _is_wanted(self._imports, name):
                    return 0
                record = self._imports.find(name)
                if record is not None and record.status != "ready":
                    self._imports.keep_results(name, {})
                return self._threads.run(self._work.remove, name)
        except ImportConflict:
            return 0


def _is_wanted(imports: ImportStore, import_id: str) -> bool:
    record = imports.find(import_id)
    return record is not None and record.status not in ENDED
