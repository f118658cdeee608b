"""The models that PremRunner brought in."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import orjson
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from premrunner.errors import StorageFailed
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

    def find(self, model_id: str) -> ModelRecord | None:
        """Return one model; None when there is none of that id."""
        with self._database.session() as session:
            row = session.get(ModelRow, model_id)
            return _record(row) if row else None

    def add(self, name: str, alias: str, size_bytes: int, findings: Mapping[str, Any] | None = None) -> ModelRecord:
        """Record a model that the engine has; one of the same alias is brought up to date."""
        with self._database.session() as session:
            row = session.scalar(select(ModelRow).where(ModelRow.alias == alias))
            if row is None:
                row = ModelRow(id=new_id(), alias=alias, created_at=datetime.now(timezone.utc), **_UNKNOWN)
                session.add(row)
            row.name, row.size, row.downloaded = name, size_bytes, True
            row.findings = orjson.dumps(findings or {}).decode()
            return _record(row)

    def reserve(self, model_id: str, name: str, choose_alias: Callable[[set[str]], str]) -> ModelRecord:
        """Record a model that is yet to come, under an alias that nobody else has.

        Args:
            model_id: Its key; one that is there already gets the alias chosen anew.
            name: What its owner calls it.
            choose_alias: Returns an alias that is not among those it is given.
        """
        while True:
            try:
                return self._reserve(model_id, name, choose_alias)
            except StorageFailed as failure:
                if not isinstance(failure.__cause__, IntegrityError):
                    raise  # Otherwise another process took that alias this very moment.

    def _reserve(self, model_id: str, name: str, choose_alias: Callable[[set[str]], str]) -> ModelRecord:
        with self._database.session() as session:
            others = session.scalars(select(ModelRow.alias).where(ModelRow.id != model_id)).all()
            row = session.get(ModelRow, model_id)
            if row is None:
                now = datetime.now(timezone.utc)
                row = ModelRow(id=model_id, size=0, downloaded=False, created_at=now, **_UNKNOWN)
                session.add(row)
            row.name, row.alias = name, choose_alias({alias.lower() for alias in others})
            session.flush()
            return _record(row)

    def change(self, model_id: str, **values: Any) -> None:
        """Change some columns of a model; mappings are kept as JSON."""
        texts = {
            name: orjson.dumps(value).decode() if isinstance(value, Mapping) else value
            for name, value in values.items()
        }
        with self._database.session() as session:
            session.execute(update(ModelRow).where(ModelRow.id == model_id).values(**texts))

    def remove(self, model_id: str) -> None:
        """Forget a model; harmless when it is not there."""
        with self._database.session() as session:
            session.execute(delete(ModelRow).where(ModelRow.id == model_id))


_UNKNOWN = {"options": "{}", "findings": "{}", "proof": "{}"}


def _record(row: ModelRow) -> ModelRecord:
    return ModelRecord(
        id=row.id,
        name=row.name,
        alias=row.alias,
        size_bytes=row.size,
        is_downloaded=row.downloaded,
        created_at=row.created_at,
        options=orjson.loads(row.options),
        findings=orjson.loads(row.findings),
        proof=orjson.loads(row.proof),
    )
