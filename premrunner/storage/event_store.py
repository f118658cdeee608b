"""What imports tell: written by whoever does the work, read by every process from the number that it knows."""

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import delete, func, insert, select, text

from premrunner.events import ImportEvent
from premrunner.storage.database import Database
from premrunner.storage.import_tables import ImportEventRow

# A page that shows a bar sees no more; a hundred open pages then ask the database as often as one.
FRESH_SECONDS = 0.2
PAGE = 500


class EventStore:
    """Rows of ``import_events``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._latest = 0
        self._looked_at = float("-inf")
        self._lock = threading.Lock()

    def add(self, event: ImportEvent) -> None:
        """Keep an event; it gets the next number."""
        values = asdict(event)
        del values["number"]
        with self._database.session() as session:
            if session.get_bind().dialect.name == "postgresql":
                # Numbers must become visible in their order, or a reader who knows the second misses the first.
                session.execute(text("LOCK TABLE import_events IN EXCLUSIVE MODE"))
            session.execute(insert(ImportEventRow).values(**values))

    def latest(self) -> int:
        """Return the last number that was given, as it was a moment ago; 0 before the first."""
        with self._lock:
            if time.monotonic() - self._looked_at > FRESH_SECONDS:
                self._looked_at = time.monotonic()
                with self._database.session() as session:
                    self._latest = session.scalar(select(func.max(ImportEventRow.number))) or 0
            return self._latest

    def after(self, number: int) -> Sequence[ImportEvent]:
        """Return events with higher numbers, in order; at most a page of them."""
        wanted = select(ImportEventRow).where(ImportEventRow.number > number).order_by(ImportEventRow.number)
        return self._read(wanted.limit(PAGE))

    def of_import(self, import_id: str, limit: int = PAGE) -> Sequence[ImportEvent]:
        """Return the last events of one import, in order."""
        wanted = select(ImportEventRow).where(ImportEventRow.import_id == import_id)
        return self._read(wanted.order_by(ImportEventRow.number.desc()).limit(limit))[::-1]

    def remove(self, import_id: str) -> None:
        """Forget the events of an import."""
        with self._database.session() as session:
            session.execute(delete(ImportEventRow).where(ImportEventRow.import_id == import_id))

    def _read(self, wanted: Any) -> list[ImportEvent]:
        with self._database.session() as session:
            return [_event(row) for row in session.scalars(wanted).all()]


def _event(row: ImportEventRow) -> ImportEvent:
    values: dict[str, Any] = {field.name: getattr(row, field.name) for field in fields(ImportEvent)}
    return ImportEvent(**values)
