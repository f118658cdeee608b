"""imports, their events, and what is known of a model

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KNOWN_OF_A_MODEL = ("options", "findings", "proof")


def upgrade():
    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("results", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("can_retry", sa.Boolean(), nullable=False),
        sa.Column("is_cancel_wanted", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("queued_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index(op.f("ix_imports_status"), "imports", ["status"], unique=False)
    op.create_table(
        "import_events",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("import_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("done_bytes", sa.BigInteger(), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
        sa.Column("bytes_per_second", sa.Float(), nullable=True),
        sa.Column("seconds_left", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_import_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_import_events_import_id"), "import_events", ["import_id"], unique=False)
    for name in KNOWN_OF_A_MODEL:
        op.add_column("models", sa.Column(name, sa.Text(), nullable=False, server_default="{}"))


def downgrade():
    for name in KNOWN_OF_A_MODEL:
        op.drop_column("models", name)
    op.drop_index(op.f("ix_import_events_import_id"), table_name="import_events")
    op.drop_table("import_events")
    op.drop_index(op.f("ix_imports_status"), table_name="imports")
    op.drop_table("imports")
