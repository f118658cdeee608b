"""Find calls by what was said: SQLite's FTS5 and PostgreSQL's text search, by the same words.

Both cut texts into words without a language's rules: what fine-tuned models say is in every language, and in none. A
word with a star is the beginning of one. Measured on SQLite, an index of three-letter pieces would find parts of words
too, at five times the cost of a write and three times the space; and to take every last word for a beginning would make
searches for frequent words a hundred times slower.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, column, func, literal, select, table, text

from premrunner.records import TraceFilter
from premrunner.storage.trace_books import label
from premrunner.storage.trace_tables import TEXTS, TRACES

# A phrase in quotes, or a word; a quote that is not closed ends with the text.
TERM = re.compile(r'"([^"]*)"?|([^\s"]+)')
# No sentence that one remembers is longer.
MOST_TERMS = 32
LONGEST_WORDS = 500

INDEX = table("trace_search", column("rowid", Integer))


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to find.

    Attributes:
        text: A word, or several that follow each other.
        is_beginning: Whether the word may go on.
    """

    text: str
    is_beginning: bool = False


def terms_of(words: str) -> list[Term]:
    """Return the words and phrases that are searched for."""
    found = TERM.findall(words[:LONGEST_WORDS].replace("\0", " "))
    terms = [Term(phrase) if phrase else Term(word.rstrip("*"), word.endswith("*")) for phrase, word in found]
    return [term for term in terms if any(character.isalnum() for character in term.text)][:MOST_TERMS]


def found_numbers(dialect: str, wanted: TraceFilter) -> Select[int]:
    """Return the query for the numbers of all traces that hold all the words of a filter, of its series.

    Args:
        dialect: SQLAlchemy's name of the database.
        wanted: The filter; its time and feeling are left aside.
    """
    terms = terms_of(wanted.words)
    series = (("m", TRACES.c.model, wanted.model), ("s", TRACES.c.status, wanted.status))
    given = [one for one in (*series, ("k", TRACES.c.key_name, wanted.key_name)) if one[2] is not None]
    if dialect == "sqlite":
        match = _match(terms, [label(kind, name or "") for kind, _, name in given])
        return select(INDEX.c.rowid).where(text("trace_search MATCH :match").bindparams(match=match))
    query = select(TEXTS.c.number).join(TRACES, TRACES.c.number == TEXTS.c.number)
    return query.where(_vector_holds(terms), *(column == name for _, column, name in given))


def number_column(dialect: str) -> ColumnElement[int]:
    """Return the column by which results are ordered: the one that the index itself keeps in order."""
    return INDEX.c.rowid if dialect == "sqlite" else TEXTS.c.number


def _match(terms: Sequence[Term], labels: Sequence[str]) -> str:
    """Return the query in FTS5's own words, every term quoted."""
    quoted = ['"' + term.text.replace('"', '""') + '"' + "*" * term.is_beginning for term in terms]
    if not quoted:
        return '""'  # Words without a letter or digit are in no index: nothing matches them.
    return " AND ".join(["said : (" + " AND ".join(quoted) + ")", *(f'labels : "{word}"' for word in labels)])


def _vector_holds(terms: Sequence[Term]) -> ColumnElement[bool]:
    """Return the condition in PostgreSQL's words."""
    simple = text("'simple'")
    vector = func.to_tsvector(simple, TEXTS.c.said)

    def query(term: Term) -> ColumnElement[Any]:
        if not term.is_beginning:
            return func.phraseto_tsquery(simple, term.text)
        return func.to_tsquery(simple, func.concat("'", term.text.replace("'", "''").replace("\\", " "), "':*"))

    return and_(*(vector.op("@@")(query(term)) for term in terms)) if terms else literal(False)
