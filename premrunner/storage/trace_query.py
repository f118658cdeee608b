"""Which calls a filter means: their ids, newest first, from any place on, at the same cost at a million rows.

A filter by model, status or key is looked up as all the series (model, status, key) that it means, each of which stands
in the index newest first, and the series are merged. So no filter ever walks over rows that it leaves out.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from sqlalchemy import ColumnElement, Select, Table, select, true
from sqlalchemy.orm import Session

from premrunner.records import TraceFilter, id_at
from premrunner.storage.trace_search import found_numbers, number_column
from premrunner.storage.trace_tables import COUNTS, FEEDBACK, RUNNING, TRACES

# With more series than this most rows are meant, and then a walk along all of them soon has a page.
MOST_SERIES = 200

JUDGED = {
    "up": FEEDBACK.c.rating > 0,
    "down": FEEDBACK.c.rating < 0,
    "corrected": FEEDBACK.c.correction != "",
    "any": true(),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins.

    Attributes:
        before: Only calls older than this id.
        after: Only calls newer than this id; the page is then the one next to it, and is read upwards.
    """

    before: str = ""
    after: str = ""


NEWEST = Place()
OLDEST = Place(after="0")


def ids(session: Session, wanted: TraceFilter, place: Place, limit: int) -> list[str]:
    """Return the ids of a page, in the order in which it is read: newest first, or rising from ``place.after``."""
    if wanted.words.strip():
        return _found_page(session, wanted, place, limit)
    pages = [_page(session, meant(one), place, limit) for one in each_series(session, wanted)]
    return list(islice(heapq.merge(*pages, reverse=not place.after), limit))


def each_series(session: Session, wanted: TraceFilter) -> Sequence[TraceFilter]:
    """Return a filter for each series that is meant; the filter itself if it asks for none, or for too many."""
    if wanted.feeling or (wanted.model, wanted.status, wanted.key_name) == (None, None, None):
        return [wanted]
    ended = select(COUNTS.c.model, COUNTS.c.status, COUNTS.c.key_name).where(
        COUNTS.c.span == "ever", COUNTS.c.calls > 0, *series_conditions(wanted, COUNTS)
    )
    running = select(TRACES.c.model, TRACES.c.status, TRACES.c.key_name).where(
        RUNNING, *series_conditions(wanted, TRACES)
    )
    rows = session.execute(ended.union(running).limit(MOST_SERIES + 1)).all()
    if len(rows) > MOST_SERIES:
        return [wanted]
    return [replace(wanted, model=row[0], status=row[1], key_name=row[2]) for row in rows]


def meant(wanted: TraceFilter) -> Select[str]:
    """Return the query for the ids of all calls that a filter means, its words left aside."""
    query = select(TRACES.c.id).where(*series_conditions(wanted, TRACES))
    if wanted.feeling:
        query = query.join(FEEDBACK, FEEDBACK.c.trace_id == TRACES.c.id).where(JUDGED[wanted.feeling])
    if wanted.since:
        query = query.where(TRACES.c.id >= id_at(wanted.since))
    if wanted.until:
        query = query.where(TRACES.c.id < id_at(wanted.until))
    return query


def found(session: Session, wanted: TraceFilter) -> Select[int]:
    """Return the query for the numbers of all calls that a filter with words means."""
    dialect = session.get_bind().dialect.name
    query, number = found_numbers(dialect, wanted), number_column(dialect)
    if wanted.feeling:
        judged = select(TRACES.c.number).join(FEEDBACK, FEEDBACK.c.trace_id == TRACES.c.id)
        query = query.where(number.in_(judged.where(JUDGED[wanted.feeling])))
    # Numbers rise with ids: calls are numbered as they begin.
    if wanted.since:
        query = query.where(number >= _number_from(session, id_at(wanted.since)))
    if wanted.until:
        query = query.where(number < _number_from(session, id_at(wanted.until)))
    return query


def series_conditions(wanted: TraceFilter, rows: Table) -> list[ColumnElement[bool]]:
    """Return the conditions on model, status and key, for either table that has them."""
    given = (("model", wanted.model), ("status", wanted.status), ("key_name", wanted.key_name))
    return [rows.c[name] == value for name, value in given if value is not None]


def _page(session: Session, query: Select[str], place: Place, limit: int) -> list[str]:
    if place.after:
        query = query.where(TRACES.c.id > place.after).order_by(TRACES.c.id)
    else:
        query = query.where(TRACES.c.id < place.before if place.before else true()).order_by(TRACES.c.id.desc())
    return list(session.scalars(query.limit(limit)))


def _found_page(session: Session, wanted: TraceFilter, place: Place, limit: int) -> list[str]:
    """Return a page of found calls, by number: an index over texts has no other order."""
    number, query = number_column(session.get_bind().dialect.name), found(session, wanted)
    if place.after:
        # The call itself may be gone; the first behind its place is then as good, and is meant.
        is_there = session.scalar(select(TRACES.c.number).where(TRACES.c.id == place.after)) is not None
        border = _number_from(session, place.after)
        query = query.where(number > border if is_there else number >= border).order_by(number)
    else:
        if place.before:
            query = query.where(number < _number_from(session, place.before))
        query = query.order_by(number.desc())
    numbers = list(session.scalars(query.limit(limit)))
    rows = session.execute(select(TRACES.c.number, TRACES.c.id).where(TRACES.c.number.in_(numbers))).all()
    named = {row[0]: row[1] for row in rows}
    return [named[number] for number in numbers if number in named]


def _number_from(session: Session, trace_id: str) -> int:
    """Return the number of the first call from an id on; of the next one to come when there is none."""
    first = select(TRACES.c.number).where(TRACES.c.id >= trace_id).order_by(TRACES.c.id).limit(1)
    last = select(TRACES.c.number).order_by(TRACES.c.number.desc()).limit(1)
    number = session.scalar(first)
    return number if number is not None else (session.scalar(last) or 0) + 1
