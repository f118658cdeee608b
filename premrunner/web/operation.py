"""What a route takes and answers, said once beside it; ``openapi.py`` reads it there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from premrunner.web.parsing import Parameter

View = TypeVar("View", bound=Callable[..., Any])

ATTRIBUTE = "premrunner_operation"


@dataclass(frozen=True)
class Operation:
    """A route in the API's document.

    Attributes:
        body: Fields of the body it parses; none for a route that takes no body.
        answer: Name of the answer's schema; empty where a document of its own tells it.
        streams: Name of the schema of each event, if it can stream.
        files: Media types of what it can send in place of JSON.
        query: What its query string may hold.
        is_open: Whether it needs no token.
        body_type: Media type of the body.
    """

    body: Sequence[Parameter] = ()
    answer: str = ""
    streams: str = ""
    files: Sequence[str] = ()
    query: Sequence[Parameter] = ()
    is_open: bool = False
    body_type: str = "application/json"


def operation(
    body: Sequence[Parameter] = (),
    *,
    answer: str,
    streams: str = "",
    files: Sequence[str] = (),
    query: Sequence[Parameter] = (),
    is_open: bool = False,
    body_type: str = "application/json",
) -> Callable[[View], View]:
    """Describe a view: the table it parses with, and the names of the schemas it answers by."""

    def describe(view: View) -> View:
        setattr(view, ATTRIBUTE, Operation(body, answer, streams, files, query, is_open, body_type))
        return view

    return describe


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """Return what a view says of itself, if it does."""
    return getattr(view, ATTRIBUTE, None)
