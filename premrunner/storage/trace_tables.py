"""The tables of the recorded calls: the calls, what is searched of them, what people said of them, and their sums."""

from datetime import datetime
from typing import cast

from sqlalchemy import BigInteger, Column, Float, Index, Integer, SmallInteger, String, Table, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from premrunner.extensions import Table as Row
from premrunner.storage.tables import UtcDateTime

# SQLite counts up only what it calls INTEGER.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

RUNNING = text("status = 'running'")
IS_REPLAY = text("replay_of IS NOT NULL")


class TraceRow(Row):
    """One call, with the original's columns and ours. Ids sort by time, so pages need no other order.

    The long texts stand last: SQLite reads a row from its front, and lists need none of them.
    """

    __tablename__ = "traces"

    # What the search index calls the row by; without a name of its own, VACUUM would change it.
    number: Mapped[int] = mapped_column(_NUMBER, primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    model: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), default="ok")
    prompt_tokens: Mapped[int] = mapped_column(Integer, default=0)
    completion_tokens: Mapped[int] = mapped_column(Integer, default=0)
    total_tokens: Mapped[int] = mapped_column(Integer, default=0)
    duration: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    endpoint: Mapped[str] = mapped_column(String(200), default="")
    is_stream: Mapped[bool] = mapped_column(default=False)
    finish_reason: Mapped[str | None] = mapped_column(String(40))
    client: Mapped[str] = mapped_column(Text, default="")
    key_name: Mapped[str] = mapped_column(Text, default="")
    replay_of: Mapped[str | None] = mapped_column(String(40))
    ttft_ms: Mapped[float | None] = mapped_column(Float)
    queued_ms: Mapped[float] = mapped_column(Float, default=0.0)
    load_ms: Mapped[float] = mapped_column(Float, default=0.0)
    prefill_ms: Mapped[float] = mapped_column(Float, default=0.0)
    decode_ms: Mapped[float] = mapped_column(Float, default=0.0)
    tokens_per_second: Mapped[float | None] = mapped_column(Float)
    writer: Mapped[str] = mapped_column(String(300), default="")
    preview: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str | None] = mapped_column(Text)
    ignored: Mapped[str] = mapped_column(Text, default="[]")
    parameters: Mapped[str] = mapped_column(Text, default="{}")
    tool_calls: Mapped[str] = mapped_column(Text, default="")
    thinking: Mapped[str] = mapped_column(Text, default="")
    output: Mapped[str] = mapped_column(Text, default="")
    input: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        # A filter is looked up as all the series it means, each newest first: no filter walks over what it leaves out.
        Index("ix_traces_series", "model", "status", "key_name", "id"),
        # Few rows run at a time; this finds them, and those that a dead process left. It has all that is asked of them,
        # or SQLite would rather walk along the other index.
        Index(
            "ix_traces_running",
            *("writer", "model", "status", "key_name", "id", "created_at"),
            sqlite_where=RUNNING,
            postgresql_where=RUNNING,
        ),
        Index("ix_traces_replay_of", "replay_of", sqlite_where=IS_REPLAY, postgresql_where=IS_REPLAY),
    )


class TraceTextRow(Row):
    """What a search looks through; the migration makes the index over it, and SQLite's triggers keep that one."""

    __tablename__ = "trace_texts"

    number: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=False)
    said: Mapped[str] = mapped_column(Text)
    # Words for model, status and key, so that a search within a filter is one search.
    labels: Mapped[str] = mapped_column(Text)


class TraceFeedbackRow(Row):
    """What a person says of an answer, and what it should have been."""

    __tablename__ = "trace_feedback"

    trace_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    rating: Mapped[int] = mapped_column(SmallInteger, default=0)
    note: Mapped[str] = mapped_column(Text, default="")
    correction: Mapped[str] = mapped_column(Text, default="")
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


# Two steps an octave: step n of the scale of durations ends at 2^(n/2) ms, the last one never; 43 is 50 minutes.
DURATION_STEPS = 44


class TraceCountRow(Row):
    """How many ended calls of a series began in a span; sums of these make every figure."""

    __tablename__ = "trace_counts"

    span: Mapped[str] = mapped_column(String(4), primary_key=True)
    start: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    model: Mapped[str] = mapped_column(Text, primary_key=True)
    status: Mapped[str] = mapped_column(String(20), primary_key=True)
    key_name: Mapped[str] = mapped_column(Text, primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        # Of the calls, those that lasted so long: a histogram for percentiles. SQLite keeps a zero in no space at all.
        *(Column(f"lasted_{step}", Integer, nullable=False) for step in range(DURATION_STEPS)),
        {"sqlite_with_rowid": False},
    )


# The same for queries that are asked a few dozen times for a page: objects of rows would cost most of their time.
TRACES = cast(Table, TraceRow.__table__)
TEXTS = cast(Table, TraceTextRow.__table__)
FEEDBACK = cast(Table, TraceFeedbackRow.__table__)
COUNTS = cast(Table, TraceCountRow.__table__)
