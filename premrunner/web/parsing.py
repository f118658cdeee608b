"""Read what a request carries, and say exactly what is wrong with it.

A check is also its own description: ``openapi.py`` makes the API's document out of the schemas that stand here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from flask import Request

from premrunner.errors import InvalidRequest
from premrunner.web.request_encoding import decoded_body

# A page no longer than a screenful of screenfuls; more is asked for in pages.
LONGEST_PAGE = 200

Value = TypeVar("Value", covariant=True)


@dataclass(frozen=True)
class Check(Generic[Value]):
    """What a value must be; call it with the value's name and the value.

    Attributes:
        accept: Returns the value as we use it; raises InvalidRequest.
        schema: JSON schema of what is accepted.
    """

    accept: Callable[[str, Any], Value]
    schema: Mapping[str, Any]

    def __call__(self, name: str, value: Any) -> Value:
        """Return the value as we use it, or raise InvalidRequest."""
        return self.accept(name, value)


@dataclass(frozen=True)
class Parameter:
    """One field of a JSON body, or of a query, that has a meaning.

    Attributes:
        name: As callers spell it.
        check: What it must be.
        option: The engine's option it sets, if it sets one.
        meaning: One line for the documentation.
        is_required: Whether a request without it is refused.
    """

    name: str
    check: Check[Any]
    option: str = ""
    meaning: str = ""
    is_required: bool = False


def json_object(request: Request) -> Mapping[str, Any]:
    """Return the body of a request, which must be a JSON object.

    Raises:
        InvalidRequest: It is not.
    """
    try:
        body = orjson.loads(decoded_body(request))
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}.") from error
    if not isinstance(body, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    return body


def fields(parameters: Iterable[Parameter], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that were given, each as we use it; null counts as not given.

    Raises:
        InvalidRequest: One is wrong or missing; it is named.
    """
    return {
        parameter.name: parameter.check(parameter.name, body.get(parameter.name))
        for parameter in parameters
        if parameter.is_required or body.get(parameter.name) is not None
    }


def without_effect(parameters: Iterable[Parameter], body: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields that were given and mean nothing here."""
    known = {parameter.name for parameter in parameters}
    return [name for name, value in body.items() if name not in known and value is not None]


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


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"'{name}' must be a text that is not empty.", param=name)
    return value


def _any_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"'{name}' must be a text.", param=name)
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(f"'{name}' must be true or false.", param=name)
    return value


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"'{name}' must be an object.", param=name)
    return value


def _sequence(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidRequest(f"'{name}' must be an array.", param=name)
    return value


text = Check(_text, {"type": "string", "pattern": r"\S"})
any_text = Check(_any_text, {"type": "string"})
flag = Check(_flag, {"type": "boolean"})
mapping = Check(_mapping, {"type": "object"})
sequence = Check(_sequence, {"type": "array"})


def text_up_to(most: int) -> Check[str]:
    """Return a check for a text, which may be empty, of no more than so many characters."""

    def accept(name: str, value: Any) -> str:
        if len(_any_text(name, value)) > most:
            raise InvalidRequest(f"'{name}' has {len(value)} characters; {most} are the most.", param=name)
        return str(value)

    return Check(accept, {"type": "string", "maxLength": most})


def number(least: float, most: float) -> Check[float]:
    """Return a check for a number within bounds."""

    def accept(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise InvalidRequest(f"'{name}' must be a number from {least:g} to {most:g}.", param=name)
        return value

    return Check(accept, {"type": "number", "minimum": least, "maximum": most})


def integer(least: int, most: int) -> Check[int]:
    """Return a check for a whole number within bounds; 3.0 counts as one, as in JSON."""

    def accept(name: str, value: Any) -> int:
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not is_whole or not least <= value <= most:
            raise InvalidRequest(f"'{name}' must be a whole number from {least} to {most}.", param=name)
        return int(value)

    return Check(accept, {"type": "integer", "minimum": least, "maximum": most})


def choice(*words: str) -> Check[str]:
    """Return a check for one of a few words."""

    def accept(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise InvalidRequest(f"'{name}' must be one of {', '.join(words)}.", param=name)
        return value

    return Check(accept, {"enum": list(words)})
