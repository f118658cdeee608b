"""Imports as the worker does them: each by one process at a time, to an end that everybody can read."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from premrunner.domain.imports.failures import can_retry, hint_for
from premrunner.domain.imports.pipeline import run_stages, take_back
from premrunner.domain.imports.reporter import Reporter
from premrunner.domain.imports.run import ImportRun, Tools
from premrunner.domain.imports.watch import Watch, WorkerEnding
from premrunner.domain.uploads import Uploads
from premrunner.errors import Cancelled, ImportConflict, PremRunnerError, StorageFailed, UploadNotFound
from premrunner.events import ENDED, ImportEvent, ImportRecord
from premrunner.storage.event_store import EventStore
from premrunner.storage.import_store import ImportStore

logger = logging.getLogger(__name__)

MISTAKE = "PremRunner made a mistake; its log has the details under this import's id."


class ImportExecution:
    """Does imports.

    Args:
        store: Their rows.
        events: What they tell.
        uploads: Where their bytes come from.
        tools: What stages work with.
        expiry: How long the work files of a failed one are kept for another try.

    Attributes:
        ending: Set it to have the import at work stopped; it goes on when the next worker starts.
    """

    def __init__(
        self, store: ImportStore, events: EventStore, uploads: Uploads, tools: Tools, expiry: timedelta
    ) -> None:
        self.ending = threading.Event()
        self._store = store
        self._events = events
        self._uploads = uploads
        self._tools = tools
        self._expiry = expiry

    def run(self, import_id: str) -> bool:
        """Do an import if it is to be done and nobody else is at it; failures are recorded, never raised.

        Returns:
            Whether it may be forgotten; not where it waits, and another worker still cleans up its last try.
        """
        try:
            with self._tools.work.claim(import_id):
                record = self._store.find(import_id)
                if record is not None and record.status not in ENDED and not self.ending.is_set():
                    self._run(record)
        except ImportConflict:
            logger.info("Another worker is at this import.", extra={"import_id": import_id})
            record = self._store.find(import_id)
            return record is None or record.status != "queued"
        return True

    def resume(self, put: Callable[[str], None]) -> None:
        """Put into the queue what is to be done and what a dead worker left; for a worker's start."""
        for record in self._store.waiting():
            put(record.id)

    def clean(self) -> int:
        """Delete work files that nobody needs any more, and return the bytes that came free."""
        freed = self._uploads.clean()
        freed += self._tools.bases.remove_unfinished(datetime.now(timezone.utc) - self._expiry)
        known = {record.id: record for record in self._store.all()}
        for name in self._tools.work.ids():
            record = known.get(name)
            if record is None or self._is_over(record):
                freed += self._tools.work.remove_stray(name)
        return freed

    def _is_over(self, record: ImportRecord) -> bool:
        if record.status not in ENDED or record.finished_at is None:
            return False
        may_go_on = record.status == "failed" and record.can_retry
        return not may_go_on or record.finished_at + self._expiry < datetime.now(timezone.utc)

    def _run(self, record: ImportRecord) -> None:
        watch = Watch(lambda: self._store.is_cancel_wanted(record.id), self.ending)
        reporter = Reporter(record.id, self._tell)
        logger.info("Import begun.", extra={"import_id": record.id})
        run: ImportRun | None = None
        try:
            with watch.running():
                run = self._prepare(record, reporter, watch)
                run_stages(run, lambda stage: self._store.begin_stage(record.id, stage))
        except WorkerEnding:
            logger.info("Import interrupted; it goes on later.", extra={"import_id": record.id})
        except Cancelled:
            self._cancelled(record, run, reporter)
        except PremRunnerError as error:
            self._failed(record, run, reporter, error)
        except Exception as error:
            logger.exception("An import met a mistake of ours.", extra={"import_id": record.id})
            self._failed(record, run, reporter, error)
        else:
            self._ready(run, reporter)

    def _tell(self, event: ImportEvent) -> None:
        """Keep an event; a database that is busy or full this moment ends no import."""
        try:
            self._events.add(event)
        except StorageFailed as failure:
            logger.warning("An event was not kept: %s", failure.message, extra={"import_id": event.import_id})

    def _prepare(self, record: ImportRecord, reporter: Reporter, watch: Watch) -> ImportRun:
        return ImportRun(
            record=record,
            upload=self._uploads.get(record.id),
            results=_usable(record, self._tools),
            tools=self._tools,
            report=reporter,
            watch=watch,
            keep=lambda results: self._store.keep_results(record.id, results),
        )

    def _ready(self, run: ImportRun, reporter: Reporter) -> None:
        self._tools.work.remove(run.id)
        self._give_up_upload(run.id)
        self._store.end(run.id, "ready")
        self._tools.catalog.forget()
        reporter.end("ready", "Ready.")
        logger.info("Import ready.", extra={"import_id": run.id})

    def _cancelled(self, record: ImportRecord, run: ImportRun | None, reporter: Reporter) -> None:
        given = run.results.get("create") if run is not None else None
        self._forget_work(record.id, {"create": {**given, "is_done": False}} if given else {})
        self._store.end(record.id, "cancelled", can_retry=self._has_upload(record.id))
        reporter.end("cancelled", "Cancelled. What was uploaded is kept for another try.")
        logger.info("Import cancelled.", extra={"import_id": record.id})
        if run is not None:  # Last, because an engine may take its time.
            run.results = {"create": given} if given else {}
            take_back(run)

    def _failed(self, record: ImportRecord, run: ImportRun | None, reporter: Reporter, error: Exception) -> None:
        may_retry = can_retry(error)
        if run is not None:
            take_back(run)
        if not may_retry:
            self._forget_work(record.id, {})
            self._give_up_upload(record.id)
        message = error.message if isinstance(error, PremRunnerError) else MISTAKE
        hint = hint_for(error) if isinstance(error, PremRunnerError) else "Try again."
        self._store.end(record.id, "failed", error=message, hint=hint, can_retry=may_retry)
        reporter.end("failed", message)
        logger.warning("Import failed: %s", message, extra={"import_id": record.id})

    def _forget_work(self, import_id: str, results: Mapping[str, object]) -> None:
        self._tools.work.remove(import_id)
        self._store.keep_results(import_id, results)

    def _has_upload(self, import_id: str) -> bool:
        with suppress(UploadNotFound):
            self._uploads.get(import_id)
            return True
        return False

    def _give_up_upload(self, import_id: str) -> None:
        with suppress(UploadNotFound):
            self._uploads.give_up(import_id)


def _usable(record: ImportRecord, tools: Tools) -> dict[str, object]:
    """Return the results that still hold: those of files need the files."""
    results = dict(record.results)
    if not results:
        return {}
    kept = [
        *_paths(results.get("unpack", {}).get("files", ())),
        *_paths(results.get("convert", {}).get("parts", ())),
        *results.get("identify", {}).get("folders", ()),
    ]
    if not all((tools.paths.root / path).exists() for path in kept):
        return {}
    results.pop("prove", None)
    return results


def _paths(files: object) -> list[str]:
    return [str(file["path"]) for file in files] if isinstance(files, list) else []
