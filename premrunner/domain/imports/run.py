"""What every stage is given: the upload, the results so far, and the hands to work with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from premrunner.domain.catalog import Catalog
from premrunner.domain.chat import ChatService
from premrunner.domain.imports.reporter import Reporter
from premrunner.domain.imports.watch import Watch
from premrunner.domain.upload_space import gigabytes
from premrunner.engine.client import EngineClient
from premrunner.engine.link import EngineLink
from premrunner.errors import DiskFull
from premrunner.events import ImportOptions, ImportRecord
from premrunner.records import UploadRecord
from premrunner.storage.base_files import BaseFiles
from premrunner.storage.model_store import ModelStore
from premrunner.storage.paths import DataPaths
from premrunner.storage.upload_files import UploadFiles
from premrunner.storage.work_files import WorkFiles

# What SQLite, logs and other uploads shall still have room for.
SPARE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Tools:
    """What stages work with; the same for every import.

    Attributes:
        paths: The data folder.
        work: Work files.
        uploads: Files of uploads.
        models: Rows of models.
        engine: The engine.
        link: Where and what it is.
        catalog: Names of models.
        chat: The path of users' chats.
        bases: What is kept for adapters.
        base_model_url: Where missing ones are downloaded from, with ``{id}`` and ``{file}``; empty for nowhere.
    """

    paths: DataPaths
    work: WorkFiles
    uploads: UploadFiles
    models: ModelStore
    engine: EngineClient
    link: EngineLink
    catalog: Catalog
    chat: ChatService
    bases: BaseFiles
    base_model_url: str


@dataclass
class ImportRun:
    """One import at work.

    Attributes:
        record: Its row, as it was at the start.
        upload: What was uploaded.
        results: What each finished stage returned, by the stage's name.
        keep: Keeps the results before a stage ends, for what must be known after a crash.
    """

    record: ImportRecord
    upload: UploadRecord
    results: dict[str, Any]
    tools: Tools
    report: Reporter
    watch: Watch
    keep: Callable[[Mapping[str, Any]], None]

    @property
    def id(self) -> str:
        """Id of the import, the upload and the model."""
        return self.record.id

    @property
    def options(self) -> ImportOptions:
        """What its owner wants."""
        return self.record.options

    def note(self, stage: str, **values: Any) -> None:
        """Keep something about a stage that is still at work."""
        self.results[stage] = {**self.results.get(stage, {}), **values, "is_done": False}
        self.keep(self.results)

    def folder(self, stage: str) -> Path:
        """Return an empty folder for what a stage makes; it is gone again if the stage fails."""
        return self.tools.work.empty(self.id, stage)

    def require_space(self, size_bytes: int, what: str) -> None:
        """Return if the disk has room for what a stage will write at its peak.

        Raises:
            DiskFull: It has not.
        """
        free = self.tools.work.free_bytes()
        if size_bytes and size_bytes + SPARE_BYTES > free:
            lacking = size_bytes + SPARE_BYTES - free
            raise DiskFull(
                f"{what} needs {gigabytes(size_bytes)} of disk, and {gigabytes(free)} are free. "
                f"Free {gigabytes(lacking)} and try again."
            )
