"""traces that are found by what was said, counted, and judged

Revision ID: 0006
Revises: 0005
"""

import json
import math
from collections import Counter
from datetime import datetime, timedelta
from zlib import crc32

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BATCH_ROWS = 500
LONGEST_SAID = 40_000
EVER = datetime(1970, 1, 1)  # As the column keeps it.
LASTED = tuple(f"lasted_{step}" for step in range(44))
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
RUNNING = sa.text("status = 'running'")
IS_REPLAY = sa.text("replay_of IS NOT NULL")
KEPT = (
    *("id", "model", "status", "prompt_tokens", "completion_tokens", "total_tokens", "duration", "created_at"),
    *("endpoint", "is_stream", "finish_reason", "client", "key_name", "ttft_ms", "queued_ms", "load_ms", "prefill_ms"),
    *("decode_ms", "tokens_per_second", "writer", "error", "ignored", "parameters", "tool_calls", "thinking"),
    *("output", "input"),
)

SQLITE_SEARCH = (
    "CREATE VIRTUAL TABLE trace_search USING fts5(said, labels, content='trace_texts', content_rowid='number', "
    "tokenize='unicode61 remove_diacritics 2')",
    "CREATE TRIGGER trace_texts_added AFTER INSERT ON trace_texts BEGIN "
    "INSERT INTO trace_search (rowid, said, labels) VALUES (new.number, new.said, new.labels); END",
    "CREATE TRIGGER trace_texts_removed AFTER DELETE ON trace_texts BEGIN "
    "INSERT INTO trace_search (trace_search, rowid, said, labels) "
    "VALUES ('delete', old.number, old.said, old.labels); END",
)
POSTGRESQL_SEARCH = ("CREATE INDEX ix_trace_texts_said ON trace_texts USING gin (to_tsvector('simple', said))",)


def upgrade():
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.drop_index("ix_traces_running", "traces")
    _make_tables()
    if is_sqlite:
        _rebuild_traces()
    else:
        _widen_traces()
    asked = ["writer", "model", "status", "key_name", "id", "created_at"]
    op.create_index("ix_traces_running", "traces", asked, sqlite_where=RUNNING, postgresql_where=RUNNING)
    op.create_index("ix_traces_series", "traces", ["model", "status", "key_name", "id"])
    op.create_index("ix_traces_replay_of", "traces", ["replay_of"], sqlite_where=IS_REPLAY, postgresql_where=IS_REPLAY)
    for statement in SQLITE_SEARCH if is_sqlite else POSTGRESQL_SEARCH:
        op.execute(statement)
    _book(op.get_bind())


def _make_tables():
    op.create_table(
        "trace_texts",
        sa.Column("number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_trace_texts")),
    )
    op.create_table(
        "trace_feedback",
        sa.Column("trace_id", sa.String(length=40), nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("correction", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("trace_id", name=op.f("pk_trace_feedback")),
    )
    op.create_table(
        "trace_counts",
        sa.Column("span", sa.String(length=4), nullable=False),
        sa.Column("start", sa.DateTime(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in LASTED),
        sa.PrimaryKeyConstraint("span", "start", "model", "status", "key_name", name=op.f("pk_trace_counts")),
        sqlite_with_rowid=False,
    )


def _rebuild_traces():
    """Number the rows, and put the long texts last; SQLite can do neither in place."""
    op.rename_table("traces", "traces_before")
    op.create_table(
        "traces",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("total_tokens", sa.Integer(), nullable=False),
        sa.Column("duration", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("endpoint", sa.String(length=200), nullable=False),
        sa.Column("is_stream", sa.Boolean(), nullable=False),
        sa.Column("finish_reason", sa.String(length=40), nullable=True),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("replay_of", sa.String(length=40), nullable=True),
        sa.Column("ttft_ms", sa.Float(), nullable=True),
        sa.Column("queued_ms", sa.Float(), nullable=False),
        sa.Column("load_ms", sa.Float(), nullable=False),
        sa.Column("prefill_ms", sa.Float(), nullable=False),
        sa.Column("decode_ms", sa.Float(), nullable=False),
        sa.Column("tokens_per_second", sa.Float(), nullable=True),
        sa.Column("writer", sa.String(length=300), nullable=False),
        sa.Column("preview", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("ignored", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("tool_calls", sa.Text(), nullable=False),
        sa.Column("thinking", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_traces")),
        sa.UniqueConstraint("id", name=op.f("uq_traces_id")),
    )
    names = (*KEPT, "preview")
    before = sa.table("traces_before", *map(sa.column, KEPT))
    rows = sa.select(*(before.c[name] for name in KEPT), sa.literal("")).order_by(before.c.id)
    op.execute(sa.table("traces", *map(sa.column, names)).insert().from_select(names, rows))
    op.drop_table("traces_before")


def _widen_traces():
    op.add_column("traces", sa.Column("preview", sa.Text(), nullable=False, server_default=""))
    op.add_column("traces", sa.Column("replay_of", sa.String(length=40), nullable=True))
    op.drop_constraint(op.f("pk_traces"), "traces", type_="primary")
    op.execute("ALTER TABLE traces ADD COLUMN number BIGSERIAL CONSTRAINT pk_traces PRIMARY KEY")
    op.create_unique_constraint(op.f("uq_traces_id"), "traces", ["id"])


def _book(connection):
    """Enter the calls that are there into the search and the sums."""
    traces = sa.table("traces", *(sa.column(name) for name in ("number", "output", "input", "preview", *COUNTED)))
    texts = sa.table("trace_texts", *(sa.column(name) for name in ("number", "said", "labels")))
    sums, last = {}, 0
    while rows := connection.execute(
        sa.select(traces)
        .where(traces.c.number > last, traces.c.status != "running")
        .order_by(traces.c.number)
        .limit(BATCH_ROWS)
    ).all():
        last = rows[-1].number
        connection.execute(texts.insert(), [_text_of(row) for row in rows])
        connection.execute(
            traces.update().where(traces.c.number == sa.bindparam("row")).values(preview=sa.bindparam("shown")),
            [_preview_of(row) for row in rows],
        )
        for row in rows:
            _count(sums, row)
    _write_sums(connection, sums)


COUNTED = ("model", "status", "key_name", "created_at", "duration", "prompt_tokens", "completion_tokens")


def _texts(sent):
    """Return what was said, of the messages or the prompt that a caller sent."""
    if isinstance(sent, str):
        return [sent]
    if isinstance(sent, list):
        return [text for one in sent for text in _texts(one)]
    return _texts(sent.get("content") or sent.get("text")) if isinstance(sent, dict) else []


def _text_of(row):
    labels = (("m", row.model), ("s", row.status), ("k", row.key_name))
    words = " ".join(f"{kind}{crc32(name.encode()):08x}" for kind, name in labels)
    said = "\n".join([*_texts(json.loads(row.input)), row.output])
    return {"number": row.number, "said": said[-LONGEST_SAID:], "labels": words}


def _preview_of(row):
    said = _texts(json.loads(row.input))
    return {"row": row.number, "shown": " ".join(said[-1][:400].split())[:160] if said else ""}


def _count(sums, row):
    moment = row.created_at if isinstance(row.created_at, datetime) else datetime.fromisoformat(row.created_at)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    step = min(math.ceil(2 * math.log2(row.duration)), len(LASTED) - 1) if row.duration > 1 else 0
    amounts = {"calls": 1, "prompt_tokens": row.prompt_tokens, "completion_tokens": row.completion_tokens}
    starts = {"hour": hour, "day": day, "week": day - timedelta(days=day.weekday()), "ever": EVER}
    for span, start in starts.items():
        key = (span, start, row.model, row.status, row.key_name)
        sums.setdefault(key, Counter()).update({**amounts, LASTED[step]: 1})


def _write_sums(connection, sums):
    key = ("span", "start", "model", "status", "key_name")
    columns = (*key, "calls", "prompt_tokens", "completion_tokens", *LASTED)
    counts = sa.table(
        "trace_counts", *(sa.column(name, sa.DateTime() if name == "start" else None) for name in columns)
    )
    if sums:
        nothing = dict.fromkeys(columns, 0)
        connection.execute(counts.insert(), [nothing | dict(zip(key, one, strict=True)) | sums[one] for one in sums])


def downgrade():
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE trace_search")
    for name in ("trace_texts", "trace_feedback", "trace_counts"):
        op.drop_table(name)
    op.drop_index("ix_traces_series", "traces")
    op.drop_index("ix_traces_replay_of", "traces")
    op.drop_index("ix_traces_running", "traces")
    op.create_index("ix_traces_running", "traces", ["writer"], sqlite_where=RUNNING, postgresql_where=RUNNING)
    with op.batch_alter_table("traces") as batch_op:
        batch_op.drop_constraint("pk_traces", type_="primary")
        batch_op.drop_column("number")
        batch_op.drop_column("preview")
        batch_op.drop_column("replay_of")
        batch_op.create_primary_key("pk_traces", ["id"])
