"""What is chosen in the site: a value a name, for every process that uses the database."""

from typing import Any

import orjson
from sqlalchemy import select

from premrunner.storage.database import Database
from premrunner.storage.tables import SettingRow


class SettingStore:
    """Rows of ``settings``.

    Args:
        database: In which each method is one short transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> Any:
        """Return what was chosen, of any JSON type; None when nothing was."""
        with self._database.session() as session:
            value = session.scalar(select(SettingRow.value).where(SettingRow.name == name))
        return None if value is None else orjson.loads(value)

    def put(self, name: str, value: Any) -> None:
        """Keep what is chosen, in place of what was chosen before."""
        with self._database.session() as session:
            session.merge(SettingRow(name=name, value=orjson.dumps(value).decode()))
