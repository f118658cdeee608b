"""Databases are made, upgraded with a copy kept, and refused when a newer version made them."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from premrunner.app import create_app, prepare_database
from premrunner.errors import StorageFailed
from premrunner.extensions import db
from premrunner.storage.migration import SCRIPTS

BACKED_UP = pytest.mark.parametrize("database_url", [""])  # A PostgreSQL is its owner's to copy.


def head():
    return max(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("0*.py"))


def execute(app, statement):
    with app.app_context(), db.engine.begin() as connection:
        done = connection.execute(text(statement))
        return done.all() if done.returns_rows else []


@pytest.fixture
def bare_app(settings):
    """The application before its database is made."""
    app = create_app(settings)
    yield app
    with app.app_context():
        db.engine.dispose()


def test_the_migrations_make_exactly_the_tables_of_the_code(app):
    with app.app_context():
        made = inspect(db.engine)
        # SQLite keeps its search index in tables of its own.
        names = {name for name in made.get_table_names() if not name.startswith("trace_search")}
        assert names == {*db.metadata.tables, "alembic_version"}
        for table in db.metadata.tables.values():
            columns = {column["name"]: column["nullable"] for column in made.get_columns(table.name)}
            assert columns == {column.name: column.nullable for column in table.columns}


def test_a_second_start_changes_nothing_and_makes_no_copy(app, settings):
    prepare_database(app)
    assert execute(app, "SELECT version_num FROM alembic_version") == [(head(),)]
    assert list((settings.data_path / "backups").iterdir()) == []


def make_old_database(app):
    with app.app_context():
        upgrade(directory=str(SCRIPTS), revision="0001")
    execute(app, "INSERT INTO messages VALUES ('1', 'still here', 'user', 'm', '2026-01-01 00:00:00')")


def test_an_old_database_is_upgraded(bare_app):
    make_old_database(bare_app)
    prepare_database(bare_app)
    assert execute(bare_app, "SELECT content FROM messages") == [("still here",)]
    assert execute(bare_app, "SELECT version_num FROM alembic_version") == [(head(),)]


@BACKED_UP
def test_a_copy_of_an_old_database_is_kept(bare_app, settings):
    make_old_database(bare_app)
    prepare_database(bare_app)
    [copy] = (settings.data_path / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
        assert connection.execute("SELECT content FROM messages").fetchall() == [("still here",)]


def test_processes_that_start_at_one_time_upgrade_once(settings):
    upgrade = [sys.executable, "-m", "premrunner", "database", "upgrade"]
    environment = os.environ | {"DATA_PATH": str(settings.data_path), "DATABASE_URL": settings.database_url}
    processes = [subprocess.Popen(upgrade, env=environment, stderr=subprocess.PIPE) for _ in range(3)]
    said = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert sum("Database upgraded from nothing" in text for text in said) == 1


def test_every_migration_can_be_taken_back(app):
    with app.app_context():
        downgrade(directory=str(SCRIPTS), revision="base")
        assert set(inspect(db.engine).get_table_names()) == {"alembic_version"}


def test_a_database_of_a_newer_version_is_refused_and_untouched(app):
    execute(app, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageFailed, match="newer PremRunner"):
        prepare_database(app)
    assert execute(app, "SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.parametrize("database_url", [""])
def test_a_file_that_is_no_database_is_named_as_such(bare_app, settings):
    (settings.data_path / "premrunner.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageFailed, match="cannot be opened"):
        prepare_database(bare_app)


@pytest.mark.parametrize("database_url", ["postgresql+psycopg://someone:a-secret@127.0.0.1:1/nothing"])
def test_a_database_server_that_is_not_there_is_named_without_its_password(bare_app):
    with pytest.raises(StorageFailed, match="cannot be opened") as caught:
        prepare_database(bare_app)
    assert "a-secret" not in caught.value.message
