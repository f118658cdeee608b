"""Read traces: pages of a filter, single ones, and the figures over them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Select, select
from sqlalchemy.orm import Session

from premrunner.errors import TraceNotFound
from premrunner.records import Trace, TraceFilter, TraceSum
from premrunner.storage import trace_query, trace_sums
from premrunner.storage.database import Database
from premrunner.storage.trace_query import Place
from premrunner.storage.trace_sums import Choices
from premrunner.storage.trace_tables import TRACES

Columns = Sequence[Column[Any]]

COLUMNS = {field.name: TRACES.c[field.name] for field in fields(Trace)}

# A list shows none of the long texts, so it does not read them; they are the last fields.
LONG_TEXTS = {"input", "output", "thinking", "tool_calls", "parameters", "ignored"}
LIST_COLUMNS: Columns = [column for name, column in COLUMNS.items() if name not in LONG_TEXTS]
ALL_COLUMNS: Columns = list(COLUMNS.values())


@dataclass(frozen=True)
class TracePage:
    """One page of the list.

    Attributes:
        traces: Newest first, without the long texts.
        has_newer: Whether there are newer ones than these.
        has_older: Whether there are older ones.
    """

    traces: Sequence[Trace]
    has_newer: bool = False
    has_older: bool = False


class TraceStore:
    """The recorded calls.

    Args:
        database: In which each method is one short transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: TraceFilter, place: Place, limit: int) -> TracePage:
        """Return the page of a filter's calls that begins at a place."""
        with self._database.session() as session:
            found = trace_query.ids(session, wanted, place, limit + 1)
            traces = _rows(session, found[:limit], LIST_COLUMNS)
        has_more = len(found) > limit
        if place.after:
            return TracePage(traces, has_newer=has_more, has_older=place != trace_query.OLDEST)
        return TracePage(traces, has_newer=bool(place.before), has_older=has_more)

    def numbered_page(self, page: int, limit: int) -> tuple[TracePage, int]:
        """Return a page by its number, counted from the newest, and how many calls there are."""
        with self._database.session() as session:
            total = trace_sums.count(session, TraceFilter())
            border, skipped = trace_sums.nth_newest(session, (page - 1) * limit)
            query = select(TRACES.c.id).where(TRACES.c.id < border).order_by(TRACES.c.id.desc())
            traces = _rows(session, list(session.scalars(query.limit(limit).offset(skipped))), LIST_COLUMNS)
        return TracePage(traces, has_newer=page > 1, has_older=page * limit < total), total

    def whole(self, wanted: TraceFilter, place: Place, limit: int) -> list[Trace]:
        """Return the next calls of a filter with their texts, newest first."""
        with self._database.session() as session:
            return _rows(session, trace_query.ids(session, wanted, place, limit), ALL_COLUMNS)

    def ids(self, wanted: TraceFilter, place: Place, limit: int) -> list[str]:
        """Return the ids of the next calls of a filter, newest first."""
        with self._database.session() as session:
            return trace_query.ids(session, wanted, place, limit)

    def summaries(self, trace_ids: Sequence[str]) -> list[Trace]:
        """Return what a list shows of the calls with these ids, of those that are there."""
        with self._database.session() as session:
            return _rows(session, trace_ids, LIST_COLUMNS)

    def get(self, trace_id: str) -> Trace:
        """Return one trace with its texts.

        Raises:
            TraceNotFound: There is none of that id.
        """
        with self._database.session() as session:
            found = _rows(session, [trace_id], ALL_COLUMNS)
        if not found:
            raise TraceNotFound
        return found[0]

    def replays(self, trace_id: str) -> list[Trace]:
        """Return the calls that repeat this one, without their long texts, newest first."""
        with self._database.session() as session:
            query = select(TRACES.c.id).where(TRACES.c.replay_of == trace_id)
            return _rows(session, list(session.scalars(query)), LIST_COLUMNS)

    def count(self, wanted: TraceFilter) -> int:
        """Return how many calls a filter means; of searched texts at most ``trace_sums.MOST_COUNTED``."""
        with self._database.session() as session:
            return trace_sums.count(session, wanted)

    def sums(self, wanted: TraceFilter, span: str) -> list[TraceSum]:
        """Return the sums of each "hour", "day" or "week" that a filter touches, in order."""
        with self._database.session() as session:
            return trace_sums.sums(session, wanted, span)

    def single_sums(self, wanted: TraceFilter, most: int) -> list[TraceSum] | None:
        """Return each ended call of a filter as a sum of its own, by its own moment; None if they are too many."""
        with self._database.session() as session:
            return trace_sums.single_sums(session, wanted, most)

    def first_moment(self) -> datetime | None:
        """Return when the oldest call began; None when there is no call."""
        with self._database.session() as session:
            return session.scalar(select(TRACES.c.created_at).order_by(TRACES.c.id).limit(1))

    def choices(self, most: int) -> Choices:
        """Return the models, statuses and keys that there are, at most so many of each."""
        with self._database.session() as session:
            return trace_sums.choices(session, most)


def _rows(session: Session, trace_ids: Sequence[str], columns: Columns) -> list[Trace]:
    if not trace_ids:
        return []
    query: Select[Any] = select(*columns).where(TRACES.c.id.in_(trace_ids)).order_by(TRACES.c.id.desc())
    return [Trace(*row) for row in session.execute(query)]
