"""What people say of answers: a thumb, a note, and the answer as it should have been."""

from collections.abc import Sequence
from datetime import datetime, timezone

from sqlalchemy import delete, exists, select

from premrunner.errors import TraceNotFound
from premrunner.records import Feedback
from premrunner.storage.database import Database
from premrunner.storage.trace_tables import TraceFeedbackRow, TraceRow


class TraceFeedbackStore:
    """The feedback to calls.

    Args:
        database: In which each method is one short transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, trace_ids: Sequence[str]) -> dict[str, Feedback]:
        """Return what was said of these calls, by their id; those of which nothing was said are left out."""
        row = TraceFeedbackRow
        query = select(row.trace_id, row.rating, row.note, row.correction).where(row.trace_id.in_(trace_ids))
        with self._database.session() as session:
            found = session.execute(query).all()
        return {trace_id: Feedback(rating, note, correction) for trace_id, rating, note, correction in found}

    def put(self, trace_id: str, feedback: Feedback) -> None:
        """Keep what was said of a call in place of what was said before; nothing at all is not kept.

        Raises:
            TraceNotFound: There is no such call.
        """
        with self._database.session() as session:
            if not session.scalar(select(exists().where(TraceRow.id == trace_id))):
                raise TraceNotFound
            session.execute(delete(TraceFeedbackRow).where(TraceFeedbackRow.trace_id == trace_id))
            if feedback != Feedback():
                row = TraceFeedbackRow(trace_id=trace_id, changed_at=datetime.now(timezone.utc))
                row.rating, row.note, row.correction = feedback.rating, feedback.note, feedback.correction
                session.add(row)
