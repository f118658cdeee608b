"""Calls, their durations and their tokens over time, in as many columns as a chart can show."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from premrunner.net.native_threads import NativeThreads
from premrunner.records import TraceFilter, TraceSum
from premrunner.storage.trace_counts import floor
from premrunner.storage.trace_store import TraceStore

MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)

# The narrowest columns of which a time has not more than so many.
WIDTHS = (5 * MINUTE, HOUR, DAY, WEEK, 4 * WEEK, 52 * WEEK)
MOST_COLUMNS = 53
# A first call alone is not a chart; so much empty time is shown before it.
LEAST_COLUMNS = 12
# Minutes are not summed up beforehand; so few calls are read one by one.
MOST_CALLS_IN_MINUTES = 2_000


@dataclass(slots=True)
class Column:
    """What began within one stretch of time.

    Attributes:
        start: When it begins.
        calls: Calls in all.
        failed: Those of them that did not end well.
        p50_ms: Half of the calls that ended well took no longer; None when there were none.
        p95_ms: Nineteen of twenty took no longer.
    """

    start: datetime
    calls: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    durations: Counter[int] = field(default_factory=Counter, repr=False)


@dataclass(frozen=True)
class Statistics:
    """The figures of a filter.

    Attributes:
        columns: Over time, oldest first, without gaps.
        width: How much time each stands for.
        whole: The same figures over all of it.
    """

    columns: Sequence[Column]
    width: timedelta
    whole: Column


class TraceStatistics:
    """Figures over recorded calls.

    Args:
        store: Has the sums.
        threads: Where what reads waits for the disk.
    """

    def __init__(self, store: TraceStore, threads: NativeThreads) -> None:
        self._store = store
        self._threads = threads

    def over(self, wanted: TraceFilter, now: datetime | None = None) -> Statistics:
        """Return the figures of a filter, whose words and feeling are left aside."""
        return self._threads.run(self._over, replace(wanted, words="", feeling=""), now or datetime.now(timezone.utc))

    def _over(self, wanted: TraceFilter, now: datetime) -> Statistics:
        until = wanted.until or now
        since = wanted.since or self._store.first_moment() or until
        width = _width(since, until)
        if width < HOUR and (sums := self._store.single_sums(wanted, MOST_CALLS_IN_MINUTES)) is not None:
            return _statistics(sums, since, until, width)
        width = max(width, HOUR)
        sums = self._store.sums(wanted, "hour" if width < DAY else "day" if width < WEEK else "week")
        return _statistics(sums, since, until, width)


def percentile(durations: Mapping[int, int], share: float) -> float | None:
    """Return the duration that a share of calls did not pass, in milliseconds; None of no calls.

    Args:
        durations: Calls by the step of the scale of durations, on which step n ends at 2^(n/2) ms.
        share: Between 0 and 1.
    """
    wanted = share * sum(durations.values())
    for step in sorted(durations):
        if durations[step] >= wanted:
            # Within a step calls are taken to be evenly spread, on the same scale.
            return float(2 ** ((step - 1 + wanted / durations[step]) / 2)) if durations[step] else None
        wanted -= durations[step]
    return None


def _width(since: datetime, until: datetime) -> timedelta:
    fitting = (width for width in WIDTHS if (until - since) / width <= MOST_COLUMNS)
    return next(fitting, WIDTHS[-1])


def _statistics(sums: Iterable[TraceSum], since: datetime, until: datetime, width: timedelta) -> Statistics:
    first = floor(min(since, until - LEAST_COLUMNS * width), width)
    columns = [Column(first + number * width) for number in range(max(1, -(-(until - first) // width)))]
    whole = Column(first)
    for one in sums:
        number = (one.start - first) // width
        for column in (columns[min(max(number, 0), len(columns) - 1)], whole):
            _add(column, one)
    for column in (*columns, whole):
        column.p50_ms, column.p95_ms = percentile(column.durations, 0.5), percentile(column.durations, 0.95)
    return Statistics(columns, width, whole)


def _add(column: Column, one: TraceSum) -> None:
    column.calls += one.calls
    column.prompt_tokens += one.prompt_tokens
    column.completion_tokens += one.completion_tokens
    column.durations.update(one.lasted)
    if one.status != "ok":
        column.failed += one.calls
