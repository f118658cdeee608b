"""Read traces, and settle those whose process died."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import func, select, update

from premrunner.errors import TraceNotFound
from premrunner.records import Trace
from premrunner.storage.database import Database
from premrunner.storage.tables import TraceRow

COLUMNS = {field.name: getattr(TraceRow, field.name) for field in fields(Trace)}

# A list shows none of the long texts, so it does not read them.
LONG_TEXTS = {"input", "output", "thinking", "tool_calls", "parameters", "ignored"}
LIST_COLUMNS = [column for name, column in COLUMNS.items() if name not in LONG_TEXTS]


@dataclass(frozen=True)
class TracePage:
    """One page of the list.

    Attributes:
        traces: Newest first, without the long texts.
        total: Traces in all.
        page: Number of this page, from 1.
        limit: Traces a page.
    """

    traces: Sequence[Trace]
    total: int
    page: int
    limit: int

    @property
    def pages(self) -> int:
        """Pages in all; 0 when there is no trace."""
        return -(-self.total // self.limit)


class TraceStore:
    """The recorded calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, page: int, limit: int) -> TracePage:
        """Return a page of traces, newest first."""
        with self._database.session() as session:
            total = session.scalar(select(func.count()).select_from(TraceRow)) or 0
            newest = select(TraceRow.id).order_by(TraceRow.id.desc()).limit(limit).offset((page - 1) * limit)
            rows = session.execute(
                select(*LIST_COLUMNS).where(TraceRow.id.in_(newest)).order_by(TraceRow.id.desc())
            ).all()
        return TracePage([Trace(**row._mapping) for row in rows], total, page, limit)

    def get(self, trace_id: str) -> Trace:
        """Return one trace with its texts.

        Raises:
            TraceNotFound: There is none of that id.
        """
        with self._database.session() as session:
            row = session.execute(select(*COLUMNS.values()).where(TraceRow.id == trace_id)).one_or_none()
        if row is None:
            raise TraceNotFound
        return Trace(**row._mapping)

    def running_writers(self) -> Sequence[str]:
        """Return the processes that have calls in hand, as they signed them."""
        with self._database.session() as session:
            return session.scalars(select(TraceRow.writer).where(TraceRow.status == "running").distinct()).all()

    def settle_interrupted(self, writers: Sequence[str]) -> int:
        """Mark the calls that dead processes had in hand and return how many there were."""
        with self._database.session() as session:
            ended = session.execute(
                update(TraceRow)
                .where(TraceRow.status == "running", TraceRow.writer.in_(writers))
                .values(status="interrupted", error="The server ended before the answer was complete.")
                .returning(TraceRow.id)
            ).all()
        return len(ended)
