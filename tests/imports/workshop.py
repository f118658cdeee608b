"""Imports done in the tests' own process, over an engine of the tests: each stage can be held, and its files seen."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from flask import Flask

from premrunner.domain.imports.importing import ImportView
from premrunner.events import ImportOptions
from premrunner.records import UploadFile, UploadRecord, new_id
from premrunner.storage.paths import DataPaths
from premrunner.storage.upload_files import UploadFiles
from premrunner.web.services import Services

from .leftovers import leftovers
from .recorded_ollama import RecordedOllama

WAIT_SECONDS = 60
HASHED_MOST_BYTES = 2_500_000_000


@dataclass
class Workshop:
    """An application without a server, whose worker is the test."""

    app: Flask
    ollama: RecordedOllama

    @property
    def services(self) -> Services:
        return self.app.extensions["premrunner"]

    @property
    def data_path(self) -> Path:
        return Path(self.app.config["DATA_PATH"])

    def bring(self, files: Mapping[str, Path], name: str, options: ImportOptions | None = None) -> str:
        """Make files a complete upload, as if they had been sent, and queue its import."""
        listed = [UploadFile(path, place.stat().st_size, sha256_of(place)) for path, place in files.items()]
        now = datetime.now(timezone.utc)
        upload = UploadRecord(new_id(), name, listed, 2**40, "open", now, sha256="0" * 64)
        paths = DataPaths(self.data_path)
        self.services.uploads._store.add(replace(upload, state="complete"))
        paths.upload(upload.id).mkdir()
        for stored, place in zip(UploadFiles(paths).stored(upload), files.values(), strict=True):
            os.link(place, stored)
        self.services.imports.begin(upload, options)
        return upload.id

    def work(self, import_id: str) -> ImportView:
        """Do an import to its end."""
        self.services.execution.run(import_id)
        return self.view(import_id)

    @contextmanager
    def at_work(self, import_id: str) -> Iterator[None]:
        """Do an import in a thread while the block runs, and wait for its end."""
        thread = threading.Thread(target=self.services.execution.run, args=(import_id,))
        thread.start()
        try:
            yield
        finally:
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()

    def view(self, import_id: str) -> ImportView:
        view = self.services.imports.find(import_id)
        assert view is not None
        return view

    def wait(self, import_id: str, stage: str, message: str = "") -> None:
        """Return when a stage is at work, and has said so."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not any(
            event.stage == stage and message in event.message and event.status == "importing"
            for event in self.view(import_id).events
        ):
            assert time.monotonic() < deadline, self.view(import_id)
            time.sleep(0.01)

    def left(self) -> list[str]:
        """Return the files that lie about."""
        return leftovers(self.data_path)

    def stages_told(self, import_id: str) -> list[str]:
        """Return the stages that have told something, in order."""
        return list(dict.fromkeys(event.stage for event in self.view(import_id).events if event.stage))


def sha256_of(path: Path) -> str:
    """Return the digest of a file; of a very large one, which no test looks at, a made-up one at once."""
    if path.stat().st_size > HASHED_MOST_BYTES:
        return "0" * 64
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(1024 * 1024):
            digest.update(piece)
    return digest.hexdigest()
