"""Access keys, and how much of their limits they have used.

The counts stand in the key's own row, so every process and host sees the same, and one statement counts and answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import orjson
from sqlalchemy import case, delete, or_, select, update

from premrunner.errors import InvalidRequest, KeyNotFound
from premrunner.records import AccessKey, new_id
from premrunner.storage.database import Database
from premrunner.storage.tables import AccessKeyRow


@dataclass(frozen=True)
class KeyUse:
    """What a key has used: requests of this minute, tokens of this day."""

    requests: int
    tokens: int


class KeyStore:
    """Rows of ``access_keys``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Sequence[AccessKey]:
        """Return every key, newest first."""
        with self._database.session() as session:
            rows = session.scalars(select(AccessKeyRow).order_by(AccessKeyRow.id.desc())).all()
        return [_record(row) for row in rows]

    def find(self, digest: str) -> AccessKey | None:
        """Return the key of a digest, if there is one."""
        with self._database.session() as session:
            row = session.scalar(select(AccessKeyRow).where(AccessKeyRow.digest == digest))
        return _record(row) if row else None

    def add(
        self,
        *,
        digest: str,
        name: str,
        hint: str,
        models: Sequence[str],
        requests_per_minute: int | None,
        tokens_per_day: int | None,
    ) -> AccessKey:
        """Keep a key.

        Raises:
            InvalidRequest: Another one has that name.
        """
        row = AccessKeyRow(
            id=new_id(),
            digest=digest,
            name=name,
            hint=hint,
            models=orjson.dumps(list(models)).decode(),
            requests_per_minute=requests_per_minute,
            tokens_per_day=tokens_per_day,
            created_at=datetime.now(timezone.utc),
        )
        with self._database.session() as session:
            if session.scalar(select(AccessKeyRow.id).where(AccessKeyRow.name == name)):
                raise InvalidRequest(f"There is a key named '{name}' already.", param="name")
            session.add(row)
        return _record(row)

    def remove(self, id_or_name: str) -> AccessKey:
        """Delete a key and return what it was.

        Raises:
            KeyNotFound: There is none of that id or name.
        """
        with self._database.session() as session:
            row = session.scalar(
                delete(AccessKeyRow)
                .where(or_(AccessKeyRow.id == id_or_name, AccessKeyRow.name == id_or_name))
                .returning(AccessKeyRow)
            )
            if row is None:
                raise KeyNotFound
            return _record(row)

    def count(self, key_id: str, minute: int, day: int) -> KeyUse:
        """Count a request and return what the key has used, this request included.

        Args:
            key_id: A key; nothing is counted if it was revoked this very moment.
            minute: Number of the minute since 1970; another than the last begins a new count.
            day: Number of the day since 1970, likewise.
        """
        is_same_minute, is_same_day = AccessKeyRow.minute == minute, AccessKeyRow.day == day
        with self._database.session() as session:
            used = session.execute(
                update(AccessKeyRow)
                .where(AccessKeyRow.id == key_id)
                .values(
                    minute_requests=case((is_same_minute, AccessKeyRow.minute_requests + 1), else_=1),
                    minute=minute,
                    day_tokens=case((is_same_day, AccessKeyRow.day_tokens), else_=0),
                    day=day,
                    last_used_at=datetime.now(timezone.utc),
                )
                .returning(AccessKeyRow.minute_requests, AccessKeyRow.day_tokens)
            ).one_or_none()
        return KeyUse(*used) if used else KeyUse(0, 0)

    def spend(self, key_id: str, day: int, tokens: int) -> None:
        """Add tokens to those of a day."""
        is_same_day = AccessKeyRow.day == day
        with self._database.session() as session:
            session.execute(
                update(AccessKeyRow)
                .where(AccessKeyRow.id == key_id)
                .values(day_tokens=case((is_same_day, AccessKeyRow.day_tokens), else_=0) + tokens, day=day)
            )


def _record(row: AccessKeyRow) -> AccessKey:
    return AccessKey(
        id=row.id,
        name=row.name,
        hint=row.hint,
        models=tuple(orjson.loads(row.models)),
        requests_per_minute=row.requests_per_minute,
        tokens_per_day=row.tokens_per_day,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )
