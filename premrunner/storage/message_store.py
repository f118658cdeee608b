"""The simple chat history of the original PremRunner."""

from collections.abc import Sequence
from datetime import datetime, timezone

from sqlalchemy import delete, select

from premrunner.records import MessageRecord, new_id
from premrunner.storage.database import Database
from premrunner.storage.tables import MessageRow

# The original's page shows so many.
HISTORY_MOST = 50


class MessageStore:
    """Rows of ``messages``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self) -> Sequence[MessageRecord]:
        """Return the newest messages, oldest of them first."""
        newest = select(MessageRow).order_by(MessageRow.created_at.desc(), MessageRow.id.desc()).limit(HISTORY_MOST)
        with self._database.session() as session:
            rows = session.scalars(newest).all()
        return [_record(row) for row in reversed(rows)]

    def add(self, role: str, content: str, model: str) -> MessageRecord:
        """Keep a message."""
        row = MessageRow(id=new_id(), content=content, role=role, model=model, created_at=datetime.now(timezone.utc))
        with self._database.session() as session:
            session.add(row)
        return _record(row)

    def clear(self) -> None:
        """Delete every message."""
        with self._database.session() as session:
            session.execute(delete(MessageRow))


def _record(row: MessageRow) -> MessageRecord:
    return MessageRecord(row.id, row.content, row.role, row.model, row.created_at)
