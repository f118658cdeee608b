"""Every test of the stores runs on SQLite and on PostgreSQL."""

from tests.databases import each_database

database_url = each_database
