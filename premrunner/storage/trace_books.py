"""What is kept beside the rows of calls: the text that searches look through, and the sums.

A call is booked when it ends and taken out of the books when its row goes, each in the transaction that changes the
row, so that the books always agree with the rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, delete, insert, select

from premrunner.storage.trace_counts import EndedCall, count
from premrunner.storage.trace_tables import FEEDBACK, TEXTS, TRACES

BOOKED = select(
    TRACES.c.number,
    TRACES.c.id,
    TRACES.c.model,
    TRACES.c.status,
    TRACES.c.key_name,
    TRACES.c.created_at,
    TRACES.c.duration,
    TRACES.c.prompt_tokens,
    TRACES.c.completion_tokens,
    TRACES.c.preview,
)


def label(kind: str, name: str) -> str:
    """Return the word that stands for a model, a status or a key in the search index."""
    return f"{kind}{crc32(name.encode()):08x}"


def book(connection: Connection, said: Mapping[str, str]) -> None:
    """Enter calls that have just ended.

    Args:
        connection: In the transaction that ended them.
        said: What a search shall find each by, by its id; the preview if there is nothing.
    """
    rows = connection.execute(BOOKED.where(TRACES.c.id.in_(tuple(said)))).all()
    if rows:
        connection.execute(insert(TEXTS), [_text(row, said[row.id] or row.preview) for row in rows])
        count(connection, map(_ended, rows))


def strike(connection: Connection, trace_ids: Sequence[str]) -> int:
    """Delete calls, with all that is kept of them, and return how many there were."""
    rows = connection.execute(BOOKED.where(TRACES.c.id.in_(trace_ids))).all()
    if rows:
        connection.execute(delete(TEXTS).where(TEXTS.c.number.in_([row.number for row in rows])))
        connection.execute(delete(FEEDBACK).where(FEEDBACK.c.trace_id.in_(trace_ids)))
        connection.execute(delete(TRACES).where(TRACES.c.number.in_([row.number for row in rows])))
        # What still runs has not been counted.
        count(connection, [_ended(row) for row in rows if row.status != "running"], sign=-1)
    return len(rows)


def _ended(row: Any) -> EndedCall:
    return EndedCall(
        created_at=row.created_at,
        model=row.model,
        status=row.status,
        key_name=row.key_name,
        duration_ms=row.duration,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
    )


def _text(row: Any, said: str) -> dict[str, Any]:
    labels = (label("m", row.model), label("s", row.status), label("k", row.key_name))
    return {"number": row.number, "said": said, "labels": " ".join(labels)}
