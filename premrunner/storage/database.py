"""The database's engine and sessions, and how SQLite is set up for one writer and many readers."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

from premrunner.errors import StorageFailed

# A wait blocks every stream of the web process, and no transaction of ours takes longer than a few milliseconds.
BUSY_SECONDS = 2.0

# No request holds a connection while it waits for the engine, so a few serve hundreds of streams.
POOL_OPTIONS: dict[str, Any] = {"pool_size": 10, "max_overflow": 40, "pool_timeout": 10}


def database_url(configured: str, sqlite_file: Path) -> str:
    """Return the database's URL: the configured one, or SQLite's in the data folder."""
    return configured or f"sqlite:///{sqlite_file}"


def tune(engine: Engine) -> Engine:
    """Set up every connection that the engine opens, and return it."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
    return engine


def writer_engine(url: str) -> Engine:
    """Return an engine for a native thread of its own, which shares no pool (and no lock) with greenlets."""
    return tune(create_engine(url, poolclass=NullPool))


class Database:
    """Short transactions for the stores.

    Args:
        engine: A tuned engine.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session, commit at the end of the block, and translate the faults of the database.

        Never wait for anything else inside the block: SQLite would make all others wait too.

        Raises:
            StorageFailed: The disk is full, read-only or damaged, or the database does not answer.
        """
        try:
            with self._sessions.begin() as session:
                yield session
        except DBAPIError as error:
            raise StorageFailed(f"The database did not take it: {_reason(error)}.") from error


def _reason(error: DBAPIError) -> str:
    """Return the driver's short reason, without the statement and its values."""
    return str(error.orig).splitlines()[0].rstrip(".") if error.orig else type(error).__name__


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in (
        "journal_mode = WAL",  # Readers never wait for the writer.
        "synchronous = NORMAL",  # Safe with WAL; a power cut may lose the last moments, never the database.
        "foreign_keys = ON",
        f"busy_timeout = {int(BUSY_SECONDS * 1000)}",
    ):
        connection.execute(f"PRAGMA {pragma}")
