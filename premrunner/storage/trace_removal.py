"""What ends traces: deleting them, old age, and the death of the process that wrote them."""

from collections.abc import Sequence

from sqlalchemy import exists, func, select, text, update

from premrunner.storage import trace_books, trace_counts
from premrunner.storage.database import Database
from premrunner.storage.trace_tables import RUNNING, TraceFeedbackRow, TraceRow

HAS_FEEDBACK = exists().where(TraceFeedbackRow.trace_id == TraceRow.id)
INTERRUPTED = "The server ended before the answer was complete."


class TraceRemoval:
    """Deletes calls, with all that is kept of them.

    Args:
        database: In which each method is one short transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def delete(self, trace_ids: Sequence[str]) -> int:
        """Delete the calls with these ids and return how many there were."""
        with self._database.session() as session:
            return trace_books.strike(session.connection(), trace_ids)

    def prune(self) -> None:
        """Remove the sums of which nothing is left; after many were deleted."""
        with self._database.session() as session:
            trace_counts.prune(session.connection())

    def nth_newest(self, number: int) -> str:
        """Return the id of the newest call but ``number``; empty when there are not so many."""
        with self._database.session() as session:
            query = select(TraceRow.id).order_by(TraceRow.id.desc()).limit(1).offset(number)
            return session.scalar(query) or ""

    def outdated(self, border: str, limit: int) -> list[str]:
        """Return the oldest ids up to and with a border; calls that people have judged are never outdated."""
        query = select(TraceRow.id).where(TraceRow.id <= border, TraceRow.status != "running", ~HAS_FEEDBACK)
        with self._database.session() as session:
            return list(session.scalars(query.order_by(TraceRow.id).limit(limit)))

    def spared(self, border: str) -> int:
        """Return how many calls up to and with a border are never outdated: the judged ones, and those that run."""
        judged = select(func.count()).select_from(TraceFeedbackRow).where(TraceFeedbackRow.trace_id <= border)
        running = select(func.count(TraceRow.id)).where(RUNNING, TraceRow.id <= border, ~HAS_FEEDBACK)
        with self._database.session() as session:
            return (session.scalar(judged) or 0) + (session.scalar(running) or 0)

    def disk_bytes(self) -> tuple[int, int]:
        """Return the bytes of the database on disk, and those of them that are free for new rows."""
        with self._database.session() as session:
            if session.get_bind().dialect.name != "sqlite":
                tables = ("traces", "trace_texts", "trace_feedback", "trace_counts")
                sizes = (session.scalar(select(func.pg_total_relation_size(name))) for name in tables)
                return sum(size or 0 for size in sizes), 0
            page, pages, free = (
                int(session.scalar(text(f"PRAGMA {name}")) or 0)
                for name in ("page_size", "page_count", "freelist_count")
            )
            return page * pages, page * free

    def running_writers(self) -> Sequence[str]:
        """Return the processes that have calls in hand, as they signed them."""
        with self._database.session() as session:
            return session.scalars(select(TraceRow.writer).where(TraceRow.status == "running").distinct()).all()

    def settle_interrupted(self, writers: Sequence[str]) -> int:
        """End the calls that dead processes had in hand and return how many there were."""
        with self._database.session() as session:
            ended = session.scalars(
                update(TraceRow)
                .where(TraceRow.status == "running", TraceRow.writer.in_(writers))
                .values(status="interrupted", error=INTERRUPTED)
                .returning(TraceRow.id)
            ).all()
            trace_books.book(session.connection(), dict.fromkeys(ended, ""))
        return len(ended)
