"""Ids that sort by time."""

import secrets
import time
from datetime import datetime, timedelta, timezone

ID_DIGITS = 24
# Of these, so many are the time.
TIME_DIGITS = 12
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECOND = timedelta(milliseconds=1)


def new_id() -> str:
    """Return a fresh id of 24 hex digits that sorts by time: 48 bits of milliseconds, 48 random bits.

    Newest-first lists and their pages then need no index but the primary key. UUIDv7 (RFC 9562) has the same plan.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def is_id(text: str) -> bool:
    """Tell whether a text could have come from `new_id`."""
    return len(text) == ID_DIGITS and not text.strip("0123456789abcdef")


def id_at(moment: datetime) -> str:
    """Return what stands before every id that was made at a moment or later, and behind every earlier one."""
    return f"{max(0, (moment - EPOCH) // MILLISECOND):0{TIME_DIGITS}x}"


def moment_of(made_id: str) -> datetime:
    """Return when an id was made."""
    return EPOCH + int(made_id[:TIME_DIGITS], 16) * MILLISECOND
