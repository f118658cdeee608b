"""The keys and values of a GGUF file, typed as the format wants them and ordered as they will stand in it."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gguf import GGUFValueType

from premrunner.weights.errors import WeightsInvalid

# struct's letter for each scalar type; all are written little-endian.
SCALARS = {
    GGUFValueType.UINT8: "B",
    GGUFValueType.INT8: "b",
    GGUFValueType.UINT16: "H",
    GGUFValueType.INT16: "h",
    GGUFValueType.UINT32: "I",
    GGUFValueType.INT32: "i",
    GGUFValueType.FLOAT32: "f",
    GGUFValueType.BOOL: "?",
    GGUFValueType.UINT64: "Q",
    GGUFValueType.INT64: "q",
    GGUFValueType.FLOAT64: "d",
}

# Ollama rewrites a file whose last two keys are not these, doubling the disk it needs.
LAST_KEYS = ("general.quantization_version", "general.file_type")


@dataclass(frozen=True)
class Entry:
    """One key and its value.

    Attributes:
        kind: Type of the value, or of each element where ``value`` is a list.
        value: A scalar, a string (also as UTF-8 bytes), or a list of one kind of either.
    """

    key: str
    kind: GGUFValueType
    value: Any


class Metadata:
    """Keys in the order in which they were first set; setting one again replaces its value where it stands."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[str, Entry] = {}
        self.extend(entries)

    def add(self, key: str, kind: GGUFValueType, value: Any) -> None:
        """Set a key."""
        self._entries[key] = Entry(key, kind, value)

    def add_string(self, key: str, value: str) -> None:
        """Set a key to a string."""
        self.add(key, GGUFValueType.STRING, value)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Set several keys."""
        for entry in entries:
            self._entries[entry.key] = entry

    def get(self, key: str) -> Any:
        """Give a key's value, or None."""
        entry = self._entries.get(key)
        return entry.value if entry else None

    def remove(self, key: str) -> None:
        """Forget a key, if it is there."""
        self._entries.pop(key, None)

    def entries(self) -> list[Entry]:
        """Give all of them, with those that must stand last at the end."""
        return [entry for key, entry in self._entries.items() if key not in LAST_KEYS] + [
            self._entries[key] for key in LAST_KEYS if key in self._entries
        ]

    def pack(self) -> bytes:
        """Give all of them as bytes, ready for the file."""
        return b"".join(_pack_string(entry.key) + _pack_value(entry) for entry in self.entries())


def _pack_string(text: str | bytes) -> bytes:
    encoded = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return struct.pack("<Q", len(encoded)) + encoded


def _pack_value(entry: Entry) -> bytes:
    try:
        if isinstance(entry.value, list):
            return _pack_list(entry.kind, entry.value)
        packed = (
            _pack_string(entry.value)
            if entry.kind == GGUFValueType.STRING
            else struct.pack("<" + SCALARS[entry.kind], entry.value)
        )
    except (struct.error, OverflowError, AttributeError, UnicodeError) as error:
        raise WeightsInvalid(f"{entry.key} cannot be {str(entry.value)[:40]!r}.") from error
    return struct.pack("<I", entry.kind) + packed


def _pack_list(kind: GGUFValueType, values: Sequence[Any]) -> bytes:
    head = struct.pack("<IIQ", GGUFValueType.ARRAY, kind, len(values))
    if kind == GGUFValueType.STRING:
        return head + b"".join(map(_pack_string, values))
    return head + struct.pack(f"<{len(values)}{SCALARS[kind]}", *values)
