"""Which calls a query string asks for; the same words in the API and in the addresses of pages."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, cast, get_args

from premrunner.errors import InvalidRequest
from premrunner.records import Feeling, TraceFilter, TraceStatus
from premrunner.web import parsing
from premrunner.web.parsing import Check, Parameter

LONGEST_WORDS = 500
# Stands for the calls that came without an access key: the owner's own.
NO_KEY = "-"
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1)}
DAY = timedelta(days=1)
# Past this the years of a calendar end.
MOST_UNITS = 100_000


def _range(name: str, value: Any) -> timedelta:
    span = re.fullmatch(r"([1-9][0-9]{0,5})([hd])", value)
    if not span or int(span[1]) > MOST_UNITS:
        raise InvalidRequest(f"'{name}' must be hours or days, such as 24h or 7d.", param=name)
    return int(span[1]) * UNITS[span[2]]


def _moment(name: str, value: Any) -> datetime:
    """Return a moment; a date alone begins at midnight UTC, and as an end it is meant whole."""
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", value))
    except ValueError as error:
        raise InvalidRequest(
            f"'{name}' must be a date or a time, such as 2026-01-31 or 2026-01-31T12:00:00Z.", param=name
        ) from error
    is_date = len(value) == len("2026-01-31")
    utc = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    try:
        return utc.astimezone(timezone.utc) + (DAY if is_date and name == "until" else timedelta())
    except OverflowError as error:
        raise InvalidRequest(f"'{name}' is outside of the calendar.", param=name) from error


def _words(name: str, value: Any) -> str:
    if len(value) > LONGEST_WORDS:
        raise InvalidRequest(f"'{name}' may have {LONGEST_WORDS} characters.", param=name)
    return cast(str, value)


MOMENT = {"type": "string", "format": "date-time"}
FEELINGS = ("up", "down", "corrected", "any")

FILTER = (
    Parameter("model", parsing.any_text, meaning="Only calls of this model."),
    Parameter("status", parsing.choice(*get_args(TraceStatus)), meaning="Only calls that are so or ended so."),
    Parameter("key", parsing.any_text, meaning="Only calls with this access key; `-` for the owner's own."),
    Parameter("range", Check(_range, {"type": "string"}), meaning="Only the last hours or days: `24h`, `7d`."),
    Parameter("since", Check(_moment, MOMENT), meaning="Only from this date or time on."),
    Parameter("until", Check(_moment, MOMENT), meaning="Only up to this time, or with this whole date; UTC."),
    Parameter(
        "q", Check(_words, {"type": "string"}), meaning='Only calls in which all these words and "phrases" fell.'
    ),
    Parameter("feedback", parsing.choice(*FEELINGS), meaning="Only calls of which people said this."),
)


def trace_filter(query: Mapping[str, str], now: datetime | None = None) -> TraceFilter:
    """Return the filter that a query string asks for; an empty field does not matter.

    Raises:
        InvalidRequest: A field is wrong; it is named.
    """
    given = parsing.fields(FILTER, {name: value for name, value in query.items() if value})
    since = given.get("since")
    if "range" in given:
        since = (now or datetime.now(timezone.utc)) - given["range"]
    key = given.get("key")
    return TraceFilter(
        model=given.get("model"),
        status=given.get("status"),
        key_name="" if key == NO_KEY else key,
        since=since,
        until=given.get("until"),
        words=given.get("q", ""),
        feeling=cast(Feeling, given.get("feedback", "")),
    )
