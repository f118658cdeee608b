"""JSON request bodies, with the faults of Go's decoder in words close to its own."""

from typing import Any

import orjson
from flask import Request

from premrunner.builtin.refusals import Refusal


class Body:
    """A request's JSON object; every getter refuses a value of the wrong type and takes null for absent."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    @classmethod
    def of(cls, request: Request) -> "Body":
        """Read a request's body, whatever content type it claims.

        Raises:
            Refusal: Empty, not JSON, or not an object.
        """
        data = request.get_data(cache=False)
        if not data.strip():
            raise Refusal("missing request body")
        try:
            fields = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise Refusal(f"invalid JSON: {error}") from error
        if not isinstance(fields, dict):
            raise Refusal("json: cannot unmarshal the body: an object is expected")
        return cls(fields)

    def get(self, name: str) -> Any:
        """Return a field whatever its type, None if absent."""
        return self._fields.get(name)

    def text(self, name: str) -> str:
        """Return a string, "" if absent."""
        return self._typed(name, str, "string") or ""

    def model(self) -> str:
        """Return the model's name, by its new or its old key."""
        return self.text("model") or self.text("name")

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean."""
        value = self._typed(name, bool, "bool")
        return default if value is None else value

    def integer(self, name: str) -> int:
        """Return a whole number, 0 if absent."""
        value = self.get(name)
        if isinstance(value, bool):
            raise _wrong_type(name, value, "int")
        return self._typed(name, int, "int") or 0

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object, an empty one if absent."""
        return self._typed(name, dict, "object") or {}

    def array(self, name: str) -> list[Any]:
        """Return a list, an empty one if absent."""
        return self._typed(name, list, "array") or []

    def objects(self, name: str) -> list[dict[str, Any]]:
        """Return a list of objects, an empty one if absent."""
        values = self.array(name)
        for value in values:
            if not isinstance(value, dict):
                raise _wrong_type(name, value, "object")
        return values

    def _typed(self, name: str, kind: type, kind_name: str) -> Any:
        value = self.get(name)
        if value is not None and not isinstance(value, kind):
            raise _wrong_type(name, value, kind_name)
        return value


def _wrong_type(name: str, value: object, wanted: str) -> Refusal:
    words = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    found = words.get(type(value), "null")
    return Refusal(f"json: cannot unmarshal {found} into field {name} of type {wanted}")
