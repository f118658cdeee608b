"""Databases are made, upgraded with a copy kept, and refused when a newer version made them."""

import sqlite3
from contextlib import closing

import pytest
from flask_migrate import upgrade
from sqlalchemy import inspect

from premrunner.app import create_app, prepare_database
from premrunner.errors import StorageFailed
from premrunner.extensions import db
from premrunner.storage.migration import SCRIPTS


def head():
    return max(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("0*.py"))


def execute(settings, statement):
    with closing(sqlite3.connect(settings.data_path / "premrunner.db")) as connection, connection:
        return connection.execute(statement).fetchall()


def test_the_migrations_make_exactly_the_tables_of_the_code(app):
    with app.app_context():
        made = inspect(db.engine)
        assert set(made.get_table_names()) == {*db.metadata.tables, "alembic_version"}
        for table in db.metadata.tables.values():
            columns = {column["name"]: column["nullable"] for column in made.get_columns(table.name)}
            assert columns == {column.name: column.nullable for column in table.columns}


def test_a_second_start_changes_nothing_and_makes_no_copy(app, settings):
    prepare_database(app)
    assert execute(settings, "SELECT version_num FROM alembic_version") == [(head(),)]
    assert list((settings.data_path / "backups").iterdir()) == []


def test_an_old_database_is_upgraded_and_a_copy_of_it_kept(settings):
    app = create_app(settings)
    with app.app_context():
        upgrade(directory=str(SCRIPTS), revision="0001")
    execute(settings, "INSERT INTO messages VALUES ('1', 'still here', 'user', 'm', '2026-01-01 00:00:00')")
    prepare_database(app)
    assert execute(settings, "SELECT content FROM messages") == [("still here",)]
    assert execute(settings, "SELECT version_num FROM alembic_version") == [(head(),)]
    [copy] = (settings.data_path / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
        assert connection.execute("SELECT content FROM messages").fetchall() == [("still here",)]


def test_a_database_of_a_newer_version_is_refused_and_untouched(app, settings):
    execute(settings, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageFailed, match="newer PremRunner"):
        prepare_database(app)
    assert execute(settings, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_file_that_is_no_database_is_named_as_such(settings):
    app = create_app(settings)
    (settings.data_path / "premrunner.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageFailed, match="cannot be opened"):
        prepare_database(app)
