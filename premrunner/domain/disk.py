"""What takes the disk, by kind, and what of it may go."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from premrunner.domain.disk_leftovers import FileLeftovers, Leftovers, UploadLeftovers, WorkLeftovers
from premrunner.domain.starter import Starter
from premrunner.domain.uploads import Uploads
from premrunner.errors import InvalidRequest
from premrunner.net.native_threads import NativeThreads
from premrunner.storage.disk_use import DiskMeter, Use, listing
from premrunner.storage.import_store import ImportStore
from premrunner.storage.paths import DataPaths
from premrunner.storage.upload_files import UploadFiles
from premrunner.storage.upload_store import UploadStore
from premrunner.storage.work_files import WorkFiles

# A page that is opened twice, or by two people, measures once.
FRESH_SECONDS = 5.0

KINDS = (
    *("models", "bases", "unfinished_uploads", "finished_uploads", "work_files", "downloads"),
    *("database", "backups", "engine", "logs", "other"),
)


@dataclass(frozen=True)
class DiskKind:
    """One kind of what takes the disk.

    Attributes:
        name: One of ``KINDS``.
        size_bytes: What it takes.
        files: How many files.
        leftovers: How many things of it may go.
        leftover_bytes: What that would free.
    """

    name: str
    size_bytes: int
    files: int
    leftovers: int
    leftover_bytes: int


@dataclass(frozen=True)
class DiskReport:
    """The disk at this moment.

    Attributes:
        kinds: What takes it.
        free_bytes: What is left.
    """

    kinds: Sequence[DiskKind]
    free_bytes: int

    @property
    def size_bytes(self) -> int:
        """All that is ours."""
        return sum(kind.size_bytes for kind in self.kinds)


@dataclass(frozen=True)
class DiskParts:
    """What the disk's use is known from.

    Attributes:
        paths: The data folder.
        uploads: Gives uploads up.
        upload_rows: Which uploads there are.
        upload_files: Their files.
        imports: Which imports there are.
        work: Their work files.
        starter: Whether the first model is being fetched.
        threads: For what touches the disk.
    """

    paths: DataPaths
    uploads: Uploads
    upload_rows: UploadStore
    upload_files: UploadFiles
    imports: ImportStore
    work: WorkFiles
    starter: Starter
    threads: NativeThreads


class Disk:
    """Measures, and cleans up."""

    def __init__(self, parts: DiskParts) -> None:
        self._parts = parts
        self._leftovers = _leftovers(parts)
        self._measuring = threading.Lock()
        self._report: DiskReport | None = None
        self._measured_at = float("-inf")

    def report(self) -> DiskReport:
        """Return what takes the disk, at most some seconds ago."""
        with self._measuring:
            now = time.monotonic()
            if self._report is None or now - self._measured_at > FRESH_SECONDS:
                self._report, self._measured_at = self._measure(), now
            return self._report

    def clean(self, kind: str) -> int:
        """Delete what may go of a kind, and return the bytes that came free.

        Raises:
            InvalidRequest: There is no such kind, or nothing of it ever goes by itself.
        """
        if kind not in self._leftovers:
            raise InvalidRequest(f"'kind' must be one of {', '.join(self._leftovers)}.", param="kind")
        leftovers = self._leftovers[kind]
        freed = sum(leftovers.remove(name) for name in leftovers.find())
        self.forget()
        return freed

    def forget(self) -> None:
        """Measure anew at the next question."""
        self._report = None

    def _measure(self) -> DiskReport:
        may_go = {kind: leftovers.find() for kind, leftovers in self._leftovers.items()}
        places = _places(self._parts.paths, self._parts.upload_rows)
        uses = self._parts.threads.run(_measure_in_order, places, self._parts.paths.root)
        kinds = [
            DiskKind(kind, use.size_bytes, use.files, len(may_go.get(kind, {})), sum(may_go.get(kind, {}).values()))
            for kind, use in uses.items()
        ]
        return DiskReport(kinds, self._parts.threads.run(self._parts.work.free_bytes))


def _places(paths: DataPaths, uploads: UploadStore) -> Mapping[str, Sequence[Path]]:
    """Return where each kind lies, without the rest."""
    by_state: dict[str, list[Path]] = {"open": [paths.incoming_uploads], "complete": []}
    for upload in uploads.all():
        by_state[upload.state].append(paths.upload(upload.id))
    return {
        "models": [paths.builtin_store, paths.ollama_models],
        "bases": [paths.bases],
        "unfinished_uploads": by_state["open"],
        "finished_uploads": by_state["complete"],
        "work_files": [paths.work],
        "downloads": [paths.downloads],
        "database": [*_with_journals(paths.database), *_with_journals(paths.job_queue)],
        "backups": [paths.backups],
        "engine": [paths.ollama, paths.engine_home],
        "logs": [paths.logs],
    }


def _with_journals(database: Path) -> list[Path]:
    return [database, *(database.with_name(database.name + ending) for ending in ("-wal", "-shm", "-journal"))]


def _measure_in_order(places: Mapping[str, Sequence[Path]], root: Path) -> Mapping[str, Use]:
    """Return the use of each kind and of the rest; a file of two kinds counts with the first."""
    meter = DiskMeter()
    uses = {kind: meter.measure(*folders) for kind, folders in places.items()}
    return {**uses, "other": meter.measure(root)}


def _leftovers(parts: DiskParts) -> Mapping[str, Leftovers]:
    paths, threads = parts.paths, parts.threads

    def files(find: Callable[[], list[Path]]) -> FileLeftovers:
        return FileLeftovers(find, threads)

    def uploads(state: Literal["open", "complete"]) -> UploadLeftovers:
        return UploadLeftovers(state, parts.uploads, parts.upload_rows, parts.upload_files, parts.imports, threads)

    return {
        "bases": files(lambda: [] if parts.imports.waiting() else listing(paths.bases)),
        "unfinished_uploads": uploads("open"),
        "finished_uploads": uploads("complete"),
        "work_files": WorkLeftovers(parts.imports, parts.work, threads),
        "downloads": files(lambda: [] if _is_fetching(parts.starter) else listing(paths.downloads)),
        "backups": files(lambda: sorted(listing(paths.backups), key=lambda copy: copy.stat().st_mtime)[:-1]),
        "logs": files(lambda: [log for log in listing(paths.logs) if log.suffix == ".1"]),
    }


def _is_fetching(starter: Starter) -> bool:
    progress = starter.progress()
    return progress is not None and progress.stage not in ("ready", "failed")
