"""Figures over the calls that a filter means, read from the sums of ``trace_counts``: none walks over the calls."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from premrunner.records import TraceFilter, TraceSum, id_at
from premrunner.storage.trace_counts import A_MONDAY, DAY, EVER, HOUR, LASTED, WEEK, floor, step_of
from premrunner.storage.trace_query import each_series, found, meant, series_conditions
from premrunner.storage.trace_tables import COUNTS, RUNNING, TRACES

# Made once: to make them for each question would take longer than its answer.
SUMMED = [func.sum(COUNTS.c[name]) for name in ("calls", "prompt_tokens", "completion_tokens")]
SUMMED_LASTED = [func.sum(COUNTS.c[name]) for name in LASTED]
SIZES = {"hour": HOUR, "day": DAY, "week": WEEK}
# Found texts are counted up to here; past it nobody wants to know.
MOST_COUNTED = 10_000

Time = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to filter by, the most frequent first."""

    models: Sequence[str]
    statuses: Sequence[str]
    key_names: Sequence[str]


def count(session: Session, wanted: TraceFilter) -> int:
    """Return how many calls a filter means; of searched texts at most ``MOST_COUNTED``."""
    if wanted.words.strip():
        some = found(session, wanted).limit(MOST_COUNTED).subquery()
        return session.scalar(select(func.count()).select_from(some)) or 0
    if wanted.feeling:
        return session.scalar(select(func.count()).select_from(meant(wanted).subquery())) or 0
    return _count_meant(session, wanted)


def sums(session: Session, wanted: TraceFilter, span: str) -> list[TraceSum]:
    """Return the sums of the spans that a filter touches, in order; its words are left aside.

    Args:
        session: The session.
        wanted: The filter.
        span: One of ``SIZES``.
    """
    row = COUNTS.c
    conditions = [row.span == span, row.calls > 0, *series_conditions(wanted, COUNTS)]
    if wanted.since:
        conditions.append(row.start >= floor(wanted.since, SIZES[span]))
    if wanted.until:
        conditions.append(row.start < wanted.until)
    # Two questions: to group all the columns by status as well would take the database twice as long.
    lasted = session.execute(
        select(row.start, *SUMMED_LASTED).where(row.status == "ok", *conditions).group_by(row.start)
    )
    steps = {start: {step: int(count) for step, count in enumerate(counts) if count} for start, *counts in lasted}
    ended = select(row.start, row.status, *SUMMED).where(*conditions)
    found = session.execute(ended.group_by(row.start, row.status).order_by(row.start))
    return [
        TraceSum(start, status, int(calls), int(asked), int(answered), steps.get(start, {}) if status == "ok" else {})
        for start, status, calls, asked, answered in found
    ]


def single_sums(session: Session, wanted: TraceFilter, most: int) -> list[TraceSum] | None:
    """Return each ended call that a filter means as a sum of its own; None if they are more than ``most``."""
    row = TRACES.c
    columns = (row.created_at, row.status, row.duration, row.prompt_tokens, row.completion_tokens)
    calls: list[Any] = []
    for one in each_series(session, wanted):
        calls += session.execute(meant(one).with_only_columns(*columns).limit(most + 1 - len(calls))).all()
        if len(calls) > most:
            return None
    return [_single(*call) for call in calls if call.status != "running"]


def _single(start: datetime, status: str, duration_ms: int, asked: int, answered: int) -> TraceSum:
    return TraceSum(start, status, 1, asked, answered, {step_of(duration_ms): 1} if status == "ok" else {})


def nth_newest(session: Session, number: int) -> tuple[str, int]:
    """Return an id and how many calls older than it are to be skipped to come to the call with this number, from 0.

    Whole days are skipped by their sums, so that any page is as near as the first.
    """
    row = COUNTS.c
    ended = select(row.start, func.sum(row.calls)).where(row.span == "day").group_by(row.start)
    days = Counter({start: int(calls) for start, calls in session.execute(ended)})
    days.update(floor(moment, DAY) for moment in session.scalars(select(TRACES.c.created_at).where(RUNNING)))
    border = "~"  # Behind every id.
    for day in sorted(days, reverse=True):
        if number < days[day]:
            break
        number -= days[day]
        border = id_at(day)
    return border, number


def choices(session: Session, most: int) -> Choices:
    """Return what there is to filter by."""
    row = COUNTS.c

    def names(column: str) -> list[str]:
        name = row[column]
        query = select(name).where(row.span == "ever", row.calls > 0).group_by(name)
        return list(session.scalars(query.order_by(func.sum(row.calls).desc(), name).limit(most)))

    return Choices(names("model"), names("status"), names("key_name"))


def _count_meant(session: Session, wanted: TraceFilter) -> int:
    """Add up whole weeks, days and hours, and count the rows at either end."""
    if not wanted.since and not wanted.until:
        return _count_span(session, wanted, "ever", EVER, None) + _count_running(session, wanted)
    since, until = wanted.since or EVER, wanted.until or datetime.now(timezone.utc) + DAY
    whole, rest = _pieces(since, until)
    total = sum(_count_rows(session, replace(wanted, since=begin, until=end)) for begin, end in rest)
    total += sum(_count_span(session, wanted, *piece) for piece in whole)
    if whole:  # Sums do not hold what still runs.
        total += _count_running(session, replace(wanted, since=whole[0][1], until=whole[-1][2]))
    return total


def _count_span(session: Session, wanted: TraceFilter, span: str, begin: datetime, end: datetime | None) -> int:
    row = COUNTS.c
    query = select(func.sum(row.calls)).where(row.span == span, row.start >= begin, *series_conditions(wanted, COUNTS))
    return int(session.scalar(query.where(row.start < end) if end else query) or 0)


def _count_running(session: Session, wanted: TraceFilter) -> int:
    return session.scalar(meant(wanted).where(RUNNING).with_only_columns(func.count(TRACES.c.id))) or 0


def _count_rows(session: Session, wanted: TraceFilter) -> int:
    counts = (meant(one).with_only_columns(func.count(TRACES.c.id)) for one in each_series(session, wanted))
    return sum(session.scalar(query) or 0 for query in counts)


def _pieces(since: datetime, until: datetime) -> tuple[list[tuple[str, datetime, datetime]], list[Time]]:
    """Cut a time into whole hours and days, in order, and the rest at either end, which is none."""
    first, last = min(_ceiling(since, HOUR), until), max(floor(until, HOUR), since)
    if first >= last:
        return [], [(since, until)]
    rest = [(begin, end) for begin, end in ((since, first), (last, until)) if begin < end]
    first_day, last_day = _ceiling(first, DAY), floor(last, DAY)
    if first_day >= last_day:
        return [("hour", first, last)], rest
    return [("hour", first, first_day), ("day", first_day, last_day), ("hour", last_day, last)], rest


def _ceiling(moment: datetime, size: timedelta) -> datetime:
    return A_MONDAY - (A_MONDAY - moment) // size * size
