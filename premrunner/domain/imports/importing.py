"""Imports as their owners see them: begun, watched, cancelled and tried again. Nothing here takes long."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from premrunner.domain.model_names import free_alias, legal_alias
from premrunner.errors import ImportConflict, InvalidRequest, ModelNotFound
from premrunner.events import ImportEvent, ImportOptions, ImportRecord
from premrunner.records import ModelRecord, UploadRecord
from premrunner.storage.event_store import EventStore
from premrunner.storage.import_store import ImportStore
from premrunner.storage.model_store import ModelStore
from premrunner.storage.work_files import WorkFiles
from premrunner.weights.output_type import OUTPUT_TYPE_NAMES

logger = logging.getLogger(__name__)

STARTED = "Model import started"
# Events that a status carries; the WebSocket has all.
EVENTS_SHOWN = 50


@dataclass(frozen=True)
class ImportView:
    """An import at this moment.

    Attributes:
        model: Its model's row; None when it was deleted this very moment.
        place: Imports that come before it; 0 for one that is not waiting.
        events: The last ones, in order.
    """

    record: ImportRecord
    model: ModelRecord | None
    place: int
    events: Sequence[ImportEvent]


class Imports:
    """Begins and shows imports.

    Args:
        store: Their rows.
        events: What they tell.
        models: Rows of models.
        work: Their work files, for the claim.
        put: Hands an import to the worker.
    """

    def __init__(
        self,
        store: ImportStore,
        events: EventStore,
        models: ModelStore,
        work: WorkFiles,
        put: Callable[[str], None],
    ) -> None:
        self._store = store
        self._events = events
        self._models = models
        self._work = work
        self._put = put

    def count_by_state(self) -> Mapping[str, int]:
        """Return how many imports are in each state that any is in."""
        return self._store.count_by_status()

    def begin(self, upload: UploadRecord, options: ImportOptions | None = None) -> str:
        """Have a complete upload made a model, and return the sentence that its owner reads; twice is harmless.

        Raises:
            InvalidRequest: Nothing is converted to that type.
        """
        _check_options(options)
        record = self._store.find(upload.id)
        if record is None or record.status in ("failed", "cancelled"):
            wanted = options or (record.options if record else ImportOptions())
            self._enqueue(upload.id, upload.name, wanted)
        return STARTED

    def retry(self, import_id: str, options: ImportOptions | None = None) -> None:
        """Try an import again, from the stage that failed.

        Args:
            import_id: Which.
            options: What its owner wants now; None leaves it.

        Raises:
            ModelNotFound: There is no such import.
            ImportConflict: It has not failed, or another try with the same bytes cannot succeed.
            InvalidRequest: Nothing is converted to that type.
        """
        _check_options(options)
        record = self._get(import_id)
        if record.status not in ("failed", "cancelled"):
            raise ImportConflict(f"The import is {record.status}; only a failed or cancelled one can be tried again.")
        if not record.can_retry:
            raise ImportConflict("Another try cannot succeed with this file. Upload another.")
        self._enqueue(import_id, record.name, options or record.options)

    def cancel(self, import_id: str) -> None:
        """Ask whoever does an import to stop; it does within a second.

        Raises:
            ModelNotFound: There is no such import.
            ImportConflict: It has ended already.
        """
        record = self._get(import_id)
        if not self._store.want_cancel(import_id):
            raise ImportConflict(f"The import is {record.status} already.")
        try:
            with self._work.claim(import_id):
                self._end_waiting(import_id)
        except ImportConflict:
            return  # The worker is at it, and looks.
        self._put(import_id)  # What is left of an earlier try is the worker's to take back.

    def find(self, import_id: str) -> ImportView | None:
        """Return one import; None when there is none of that id."""
        record = self._store.find(import_id)
        if record is None:
            return None
        place = self._store.place(record) if record.status == "queued" else 0
        return ImportView(record, self._models.find(import_id), place, self._events.of_import(import_id, EVENTS_SHOWN))

    def all(self) -> Sequence[ImportRecord]:
        """Return every import, oldest first."""
        return self._store.all()

    def _end_waiting(self, import_id: str) -> None:
        """End an import that nobody is at, and of which the engine has nothing."""
        record = self._get(import_id)
        if record.status == "queued" and not record.results.get("create"):
            self._store.end(import_id, "cancelled", can_retry=True)
            now = datetime.now(timezone.utc)
            self._events.add(ImportEvent(import_id, "cancelled", record.stage, 0, "Cancelled while it waited.", now))

    def _get(self, import_id: str) -> ImportRecord:
        record = self._store.find(import_id)
        if record is None:
            raise ModelNotFound(import_id)
        return record

    def _enqueue(self, import_id: str, name: str, options: ImportOptions) -> None:
        def choose(taken: set[str]) -> str:
            return free_alias(legal_alias(name, import_id), taken)

        known = self._models.find(import_id)
        if known is None or known.name != name:
            self._models.reserve(import_id, name, choose)
        kept = {"system": options.system, "template": options.template, "parameters": dict(options.parameters)}
        self._models.change(import_id, options=kept)
        record = self._store.queue(import_id, name, options)
        before = self._store.place(record)
        message = f"Waiting; {before} before it." if before else "Waiting for the worker."
        self._events.add(ImportEvent(import_id, "queued", "", 0, message, datetime.now(timezone.utc)))
        self._put(import_id)
        logger.info("Import queued.", extra={"import_id": import_id})


def _check_options(options: ImportOptions | None) -> None:
    if options is not None and options.output_type not in OUTPUT_TYPE_NAMES:
        raise InvalidRequest(f"'outputType' must be one of {', '.join(OUTPUT_TYPE_NAMES)}.", param="outputType")
