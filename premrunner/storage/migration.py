"""Bring the database to today's tables, keeping a copy of what was there."""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError
from flask import Flask
from flask_migrate import upgrade

from premrunner.errors import StorageFailed
from premrunner.storage.database import Database
from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FILE, DataPaths

logger = logging.getLogger(__name__)

PACKAGE = Path(__file__).parent.parent

# In a wheel the scripts travel inside the package, in a checkout they stand beside it.
SCRIPTS = next(folder for folder in (PACKAGE / "migrations", PACKAGE.parent / "migrations") if folder.is_dir())

BACKUPS_KEPT = 5


def upgrade_database(app: Flask, database: Database, paths: DataPaths) -> bool:
    """Apply the migrations that are missing and tell whether there were any.

    Processes that come at the same time, on whatever machine, wait for the first.

    Args:
        app: The application with Flask-Migrate.
        database: Its database.
        paths: The data folder, which gets a copy of an SQLite database that is not empty.

    Raises:
        StorageFailed: A newer PremRunner made the database, or it cannot be read.
    """
    with _alone(paths.upgrade_lock):
        current, wanted = _current_revision(database), _wanted_revision()
        if current == wanted:
            return False
        if current is not None:
            _refuse_unknown(current)
            _back_up(database, current, paths.backups)
        with app.app_context():
            upgrade(directory=str(SCRIPTS))
    logger.info("Database upgraded from %s to %s.", current or "nothing", wanted)
    return True


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with disk_errors():
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _current_revision(database: Database) -> str | None:
    try:
        with database.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except Exception as error:  # Every driver has its own classes for "not a database", "no space", "no server".
        raise StorageFailed(f"The database cannot be opened: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return ScriptDirectory.from_config(config)


def _wanted_revision() -> str | None:
    return _scripts().get_current_head()


def _refuse_unknown(revision: str) -> None:
    try:
        _scripts().get_revision(revision)
    except (ResolutionError, CommandError) as error:
        raise StorageFailed(
            f"The database was made by a newer PremRunner (revision {revision}). Install that version, or choose "
            "another DATA_PATH."
        ) from error


def _back_up(database: Database, revision: str, backups: Path) -> None:
    """Copy an SQLite database; a PostgreSQL one is its owner's to back up."""
    source = database.engine.url.database
    if database.engine.dialect.name != "sqlite" or not source or source == ":memory:":
        return
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S")
    target = backups / f"premrunner-{moment}-{revision}.db"
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise StorageFailed(
            f"The database could not be copied before its upgrade: {error}. It is unchanged."
        ) from error
    for outdated in sorted(backups.glob("premrunner-*.db"))[:-BACKUPS_KEPT]:
        outdated.unlink()
