"""The database's engine and sessions: SQLite set up for one writer and many readers, or PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool, SingletonThreadPool

from premrunner.errors import SettingsInvalid, StorageFailed

if TYPE_CHECKING:
    from psycopg import Connection

# A wait blocks every stream of the web process, and no transaction of ours takes longer than a few milliseconds.
BUSY_SECONDS = 2.0

# No request holds a connection while it waits for the engine, so a few serve hundreds of streams.
POOL = {"pool_size": 10, "max_overflow": 40, "pool_timeout": 10}
# A PostgreSQL that was restarted meanwhile is met by a new connection, and one that is gone is an error soon.
REMOTE: dict[str, Any] = {"pool_pre_ping": True, "connect_args": {"connect_timeout": 5}}
# PostgreSQL keeps no NUL in a text, SQLite does; a model's name or answer with one must not be lost for that.
NUL, NUL_STAND_IN = "\0", "\ufffd"


def database_url(configured: str, sqlite_file: Path) -> str:
    """Return the database's URL: the configured one, or SQLite's in the data folder.

    Raises:
        SettingsInvalid: The configured one needs a driver that is not installed.
    """
    if configured and not _is_sqlite(configured) and find_spec("psycopg") is None:
        raise SettingsInvalid(
            ["DATABASE_URL needs a package that is not installed: pip install premrunner[postgresql]"]
        )
    return configured or f"sqlite:///{sqlite_file}"


def pool_options(url: str) -> dict[str, Any]:
    """Return what the engine of a web process is made with."""
    return POOL if _is_sqlite(url) else POOL | REMOTE


def tune(engine: Engine) -> Engine:
    """Set up every connection that the engine opens, and return it."""
    event.listen(engine, "connect", _set_pragmas if engine.dialect.name == "sqlite" else _replace_nuls)
    return engine


def unpooled_engine(url: str) -> Engine:
    """Return an engine for native threads that write now and then: a connection for each transaction."""
    return tune(create_engine(url, poolclass=NullPool, **({} if _is_sqlite(url) else REMOTE)))


def thread_engine(url: str) -> Engine:
    """Return an engine for native threads that are always busy: each keeps its connection, which is dear to open."""
    return tune(create_engine(url, poolclass=SingletonThreadPool, **({} if _is_sqlite(url) else REMOTE)))


def _is_sqlite(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"


class Database:
    """Short transactions for the stores.

    Args:
        engine: A tuned engine.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    def product(self) -> str:
        """Return which database it is, with its version."""
        if self.engine.dialect.name == "sqlite":
            return f"SQLite {sqlite3.sqlite_version}"
        with self.session() as session:
            return f"PostgreSQL {session.scalar(text('show server_version'))}"

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


def _replace_nuls(connection: "Connection[Any]", _record: object) -> None:
    from psycopg.types.string import StrDumper

    class WithoutNul(StrDumper):
        def dump(self, text: str) -> Any:
            return super().dump(text.replace(NUL, NUL_STAND_IN))

    connection.adapters.register_dumper(str, WithoutNul)
