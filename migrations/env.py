"""Run migrations on the application's own database engine."""

from typing import Any, Literal

from alembic import context
from flask import current_app

from premrunner.extensions import db
from premrunner.storage import tables


def render_item(kind: str, item: Any, _: object) -> str | Literal[False]:
    """Write our own column types as what they are stored as: a migration must not change when they do."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, tables.UtcDateTime) else False


with current_app.extensions["migrate"].db.engine.connect() as connection:
    # SQLite changes a table by copying it; batch mode writes that out.
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()
