"""Read what a request carries, and say exactly what is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Request

from premrunner.errors import InvalidRequest

# A page no longer than a screenful of screenfuls; more is asked for in pages.
LONGEST_PAGE = 200


@dataclass(frozen=True)
class Parameter:
    """One field of a JSON body that has a meaning.

    Attributes:
        name: As callers spell it.
        check: Returns the value as we use it; raises InvalidRequest.
        option: The engine's option it sets, if it sets one.
        meaning: One line for the documentation.
    """

    name: str
    check: Callable[[str, Any], Any]
    option: str = ""
    meaning: str = ""


def json_object(request: Request) -> Mapping[str, Any]:
    """Return the body of a request, which must be a JSON object.

    Raises:
        InvalidRequest: It is not.
    """
    try:
        body = orjson.loads(request.get_data(cache=False))
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    return body


def page_number(request: Request, name: str, default: int, most: int) -> int:
    """Return a whole number from 1 to ``most`` of the query string.

    Raises:
        InvalidRequest: It is something else.
    """
    text = request.args.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise InvalidRequest(f"'{name}' must be a whole number from 1 to {most}.", param=name)
    return int(text)


def text(name: str, value: Any) -> str:
    """Check for a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"'{name}' must be a text that is not empty.", param=name)
    return value


def flag(name: str, value: Any) -> bool:
    """Check for true or false."""
    if not isinstance(value, bool):
        raise InvalidRequest(f"'{name}' must be true or false.", param=name)
    return value


def number(least: float, most: float) -> Callable[[str, Any], float]:
    """Return a check for a number within bounds."""

    def check(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise InvalidRequest(f"'{name}' must be a number from {least:g} to {most:g}.", param=name)
        return value

    return check


def integer(least: int, most: int) -> Callable[[str, Any], int]:
    """Return a check for a whole number within bounds; 3.0 counts as one, as in JSON."""

    def check(name: str, value: Any) -> int:
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not is_whole or not least <= value <= most:
            raise InvalidRequest(f"'{name}' must be a whole number from {least} to {most}.", param=name)
        return int(value)

    return check


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    """Check for a JSON object."""
    if not isinstance(value, dict):
        raise InvalidRequest(f"'{name}' must be an object.", param=name)
    return value


def sequence(name: str, value: Any) -> list[Any]:
    """Check for a JSON array."""
    if not isinstance(value, list):
        raise InvalidRequest(f"'{name}' must be an array.", param=name)
    return value
