"""The imports that there are, in every condition."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any, cast

import orjson
from sqlalchemy import delete, func, select, update

from premrunner.events import ImportOptions, ImportRecord, ImportStatus
from premrunner.storage.database import Database
from premrunner.storage.import_tables import ImportRow

WAITING: tuple[ImportStatus, ...] = ("queued", "importing")


class ImportStore:
    """Rows of ``imports``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def queue(self, import_id: str, name: str, options: ImportOptions) -> ImportRecord:
        """Put an import into the queue, a new one or one that ended; what its stages have found stays."""
        now = datetime.now(timezone.utc)
        with self._database.session() as session:
            row = session.get(ImportRow, import_id)
            if row is None:
                row = ImportRow(id=import_id, created_at=now, results="{}", stage="")
                session.add(row)
            row.name, row.status, row.queued_at, row.finished_at = name, "queued", now, None
            row.options = orjson.dumps(asdict(options)).decode()
            row.error, row.hint, row.can_retry, row.is_cancel_wanted = "", "", False, False
            session.flush()
            return _record(row)

    def find(self, import_id: str) -> ImportRecord | None:
        """Return one import; None when there is none of that id."""
        with self._database.session() as session:
            row = session.get(ImportRow, import_id)
            return _record(row) if row else None

    def all(self) -> Sequence[ImportRecord]:
        """Return every import, oldest first."""
        with self._database.session() as session:
            return [_record(row) for row in session.scalars(select(ImportRow).order_by(ImportRow.id)).all()]

    def count_by_status(self) -> Mapping[str, int]:
        """Return how many imports are in each status that any is in."""
        counted = select(ImportRow.status, func.count()).group_by(ImportRow.status)
        with self._database.session() as session:
            return dict(session.execute(counted).all())

    def waiting(self) -> Sequence[ImportRecord]:
        """Return the imports that are to be done or under way, first come first."""
        wanted = select(ImportRow).where(ImportRow.status.in_(WAITING)).order_by(ImportRow.queued_at, ImportRow.id)
        with self._database.session() as session:
            return [_record(row) for row in session.scalars(wanted).all()]

    def place(self, record: ImportRecord) -> int:
        """Return how many imports come before one that waits."""
        before = select(func.count()).where(
            ImportRow.status.in_(WAITING), ImportRow.queued_at < record.queued_at, ImportRow.id != record.id
        )
        with self._database.session() as session:
            return session.scalar(before) or 0

    def is_cancel_wanted(self, import_id: str) -> bool:
        """Tell whether somebody asked to stop an import, or deleted it."""
        with self._database.session() as session:
            return session.scalar(select(ImportRow.is_cancel_wanted).where(ImportRow.id == import_id)) is not False

    def want_cancel(self, import_id: str) -> bool:
        """Ask whoever does an import to stop; False when nobody does any more."""
        waiting = update(ImportRow).where(ImportRow.id == import_id, ImportRow.status.in_(WAITING))
        return self._change(waiting.values(is_cancel_wanted=True)) > 0

    def begin_stage(self, import_id: str, stage: str) -> None:
        """Record which stage is at work."""
        self._change(update(ImportRow).where(ImportRow.id == import_id).values(status="importing", stage=stage))

    def keep_results(self, import_id: str, results: Mapping[str, Any]) -> None:
        """Keep what stages have found."""
        text = orjson.dumps(results).decode()
        self._change(update(ImportRow).where(ImportRow.id == import_id).values(results=text))

    def end(
        self, import_id: str, status: ImportStatus, *, error: str = "", hint: str = "", can_retry: bool = False
    ) -> None:
        """Record how an import ended."""
        ended = {"status": status, "error": error, "hint": hint, "can_retry": can_retry}
        moment = datetime.now(timezone.utc)
        self._change(update(ImportRow).where(ImportRow.id == import_id).values(**ended, finished_at=moment))

    def remove(self, import_id: str) -> None:
        """Forget an import; harmless when it is not there."""
        with self._database.session() as session:
            session.execute(delete(ImportRow).where(ImportRow.id == import_id))

    def _change(self, statement: Any) -> int:
        with self._database.session() as session:
            return cast(int, cast(Any, session.execute(statement)).rowcount)


def _record(row: ImportRow) -> ImportRecord:
    return ImportRecord(
        id=row.id,
        name=row.name,
        status=cast(ImportStatus, row.status),
        stage=row.stage,
        options=ImportOptions(**orjson.loads(row.options)),
        results=orjson.loads(row.results),
        error=row.error or "",
        hint=row.hint or "",
        can_retry=bool(row.can_retry),
        is_cancel_wanted=bool(row.is_cancel_wanted),
        created_at=row.created_at,
        queued_at=row.queued_at,
        finished_at=row.finished_at,
    )
