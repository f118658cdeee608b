"""Sums over the calls that have ended, kept up to date as calls end and go: figures at a million rows cost as at ten.

Each ended call counts in four spans: its hour, its day, its week, and ever.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, Table, delete
from sqlalchemy.dialects import postgresql, sqlite

from premrunner.storage.trace_tables import COUNTS, DURATION_STEPS

KEY = ("span", "start", "model", "status", "key_name")
LASTED = tuple(f"lasted_{step}" for step in range(DURATION_STEPS))
SUMS = ("calls", "prompt_tokens", "completion_tokens", *LASTED)


def _growing(insert: Callable[[Table], Any]) -> Any:
    """Return the statement that adds to a row of sums, or makes it."""
    adding = insert(COUNTS)
    grown = {name: COUNTS.c[name] + adding.excluded[name] for name in SUMS}
    return adding.on_conflict_do_update(index_elements=KEY, set_=grown)


# To make one takes ten times as long as to run it.
GROW = {"sqlite": _growing(sqlite.insert), "postgresql": _growing(postgresql.insert)}

EVER = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Weeks begin on Mondays, and 1970 began on a Thursday.
A_MONDAY = EVER + timedelta(days=4)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class EndedCall:
    """What is counted of a call."""

    created_at: datetime
    model: str
    status: str
    key_name: str
    duration_ms: int
    prompt_tokens: int
    completion_tokens: int


def step_of(duration_ms: float) -> int:
    """Return the step of the scale that a duration is on."""
    return min(math.ceil(2 * math.log2(duration_ms)), DURATION_STEPS - 1) if duration_ms > 1 else 0


def floor(moment: datetime, size: timedelta) -> datetime:
    """Return the begin of the hour, day or week that a moment is in, in UTC."""
    return A_MONDAY + (moment - A_MONDAY) // size * size


def count(connection: Connection, calls: Iterable[EndedCall], sign: int = 1) -> None:
    """Add calls to the sums; with a sign of -1 take them away."""
    sums: dict[tuple[Any, ...], Counter[str]] = {}
    for call in calls:
        amounts = {
            "calls": sign,
            "prompt_tokens": sign * call.prompt_tokens,
            "completion_tokens": sign * call.completion_tokens,
            LASTED[step_of(call.duration_ms)]: sign,
        }
        for span, start in _spans(call.created_at):
            sums.setdefault((span, start, call.model, call.status, call.key_name), Counter()).update(amounts)
    nothing = dict.fromkeys(SUMS, 0)
    # In one order everywhere: two processes that count at the same time must not wait for each other.
    _add(connection, [nothing | dict(zip(KEY, key, strict=True)) | sums[key] for key in sorted(sums)])


def prune(connection: Connection) -> None:
    """Remove the sums that nothing is left of."""
    connection.execute(delete(COUNTS).where(COUNTS.c.calls <= 0))


def _spans(moment: datetime) -> Sequence[tuple[str, datetime]]:
    return (
        ("hour", floor(moment, HOUR)),
        ("day", floor(moment, DAY)),
        ("week", floor(moment, WEEK)),
        ("ever", EVER),
    )


def _add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(GROW[connection.dialect.name], rows)
