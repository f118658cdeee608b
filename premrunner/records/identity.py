"""Ids that sort by time."""

import secrets
import time

ID_DIGITS = 24


def new_id() -> str:
    """Return a fresh id of 24 hex digits that sorts by time: 48 bits of milliseconds, 48 random bits.

    Newest-first lists and their pages then need no index but the primary key. UUIDv7 (RFC 9562) has the same plan.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def is_id(text: str) -> bool:
    """Tell whether a text could have come from `new_id`."""
    return len(text) == ID_DIGITS and not text.strip("0123456789abcdef")
