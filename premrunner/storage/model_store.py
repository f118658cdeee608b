"""The models that PremRunner brought in."""

from collections.abc import Sequence
from datetime import datetime, timezone

from sqlalchemy import delete, select

from premrunner.records import ModelRecord, new_id
from premrunner.storage.database import Database
from premrunner.storage.tables import ModelRow


class ModelStore:
    """Rows of ``models``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Sequence[ModelRecord]:
        """Return every model, newest first."""
        with self._database.session() as session:
            rows = session.scalars(select(ModelRow).order_by(ModelRow.created_at.desc(), ModelRow.id)).all()
        return [_record(row) for row in rows]

    def add(self, name: str, alias: str, size_bytes: int) -> ModelRecord:
        """Record a model that the engine has; one of the same alias is brought up to date."""
        with self._database.session() as session:
            row = session.scalar(select(ModelRow).where(ModelRow.alias == alias))
            if row is None:
                row = ModelRow(id=new_id(), alias=alias, created_at=datetime.now(timezone.utc))
                session.add(row)
            row.name, row.size, row.downloaded = name, size_bytes, True
            return _record(row)

    def remove(self, model_id: str) -> None:
        """Forget a model; harmless when it is not there."""
        with self._database.session() as session:
            session.execute(delete(ModelRow).where(ModelRow.id == model_id))


def _record(row: ModelRow) -> ModelRecord:
    return ModelRecord(row.id, row.name, row.alias, row.size, row.downloaded, row.created_at)
