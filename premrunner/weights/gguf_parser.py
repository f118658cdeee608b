"""Read and check a GGUF's header, whatever a stranger put into it.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The file is mapped, never read whole; every count and
length is held against the bytes that are left before anything is made of it, so a header of 100 bytes that promises
2^60 strings costs 100 bytes. Where Ollama has a sentence for a fault, it is used. The file may lie inside another one,
as a member of a ZIP does that is stored as it is.

The gguf package's own reader keeps an array for each token, which takes seconds for a large vocabulary, and believes
every length it reads.
"""

import mmap
import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import cast

from premrunner.weights.errors import NotWeights, WeightsInvalid
from premrunner.weights.gguf_header import MAGIC, GgufArray, GgufHeader, Scalar, Tensor, Value
from premrunner.weights.gguf_types import TENSOR_TYPES

# Arrays up to this length are kept: figures a layer. Vocabularies are not.
SHORT_ARRAY = 1024

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LENGTH = struct.Struct("<Q")
_READABLE_VERSIONS = (2, 3)
_DEFAULT_ALIGNMENT = 32
# The least bytes that one entry can take; bounds the counts at the head of the file.
_LEAST_KEY_BYTES = 8 + 1 + 4 + 1
_LEAST_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8
# Far above any real file, and so few that a header as large as the file takes seconds.
_KEYS_MOST, _TENSORS_MOST, _STRINGS_MOST = 10_000, 100_000, 4_000_000
# ggml's own limits.
_DIMENSIONS_MOST = 4
_NAME_BYTES_MOST = 64
_GO_INT_MOST = 2**63 - 1


def read_header(
    path: Path, *, offset_bytes: int = 0, size_bytes: int | None = None, longest_kept_array: int = SHORT_ARRAY
) -> GgufHeader:
    """Read and check the header of a GGUF, and that every tensor lies inside the file.

    Args:
        path: The file, or one that holds it.
        offset_bytes: Where it begins there.
        size_bytes: Its length; None for all that follows.
        longest_kept_array: Arrays with more values are only counted.

    Raises:
        NotWeights: It is no GGUF.
        WeightsInvalid: It is one, and broken; in Ollama's words.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2) if size_bytes is None else offset_bytes + size_bytes
        file.seek(offset_bytes)
        if end - offset_bytes < 4 or file.read(4) != MAGIC:
            raise NotWeights("supplied file was not in GGUF format")
        skipped = offset_bytes % mmap.ALLOCATIONGRANULARITY
        begin = offset_bytes - skipped
        with (
            mmap.mmap(file.fileno(), end - begin, access=mmap.ACCESS_READ, offset=begin) as mapped,
            memoryview(mapped) as whole,
            whole[skipped:] as data,
        ):
            try:
                return _Parser(data, longest_kept_array).header()
            except (UnicodeDecodeError, OverflowError) as error:
                raise WeightsInvalid("GGUF header holds text that is not UTF-8") from error
            except struct.error as error:
                raise WeightsInvalid("unexpected EOF") from error


class _Parser:
    """Walks over a mapped file from its fifth byte on."""

    def __init__(self, data: memoryview, longest_kept_array: int) -> None:
        self._data = data
        self._size = len(data)
        self._at = 4
        self._longest_kept_array = longest_kept_array

    def header(self) -> GgufHeader:
        version = self._number("I")
        if version not in _READABLE_VERSIONS:
            raise WeightsInvalid(f"unsupported GGUF version {version}")
        tensor_count = self._count("tensor", _LEAST_TENSOR_BYTES, _TENSORS_MOST)
        key_count = self._count("key", _LEAST_KEY_BYTES, _KEYS_MOST)
        metadata: dict[str, Value] = {}
        kinds: dict[str, int] = {}
        places: dict[str, tuple[int, int]] = {}
        for _ in range(key_count):
            begin = self._at
            key = self._string()
            if key in metadata:
                raise WeightsInvalid(f'GGUF key "{key[:100]}" appears twice')
            kinds[key], metadata[key] = self._value(key)
            places[key] = (begin, self._at)
        entries = list(self._tensor_entries(tensor_count))
        tensors = self._placed(entries, _alignment(metadata))
        return GgufHeader(version, metadata, tensors, kinds, places)

    def _count(self, what: str, least_bytes: int, most: int = _GO_INT_MOST) -> int:
        count = self._number("Q")
        if count > min(most, (self._size - self._at) // least_bytes):
            raise WeightsInvalid(f"GGUF {what} count {count} exceeds what the file can hold: unexpected EOF")
        return count

    def _scalars(self, letter: str, count: int) -> tuple[Scalar, ...]:
        form = f"<{count}{letter}"
        values = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return values

    def _number(self, letter: str) -> int:
        return cast(int, self._scalars(letter, 1)[0])

    def _string(self) -> str:
        [(begin, end)] = self._string_places(1)
        return str(self._data[begin:end], "utf-8")

    def _string_places(self, count: int) -> Iterator[tuple[int, int]]:
        """Walk over strings; most of a header's time is spent here."""
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(self._data, self._at)
            if length > _GO_INT_MOST:
                raise WeightsInvalid(f"GGUF string length {length} exceeds maximum {_GO_INT_MOST}")
            begin = self._at + 8
            self._at = begin + length
            if self._at > self._size:
                raise WeightsInvalid("unexpected EOF")
            yield begin, self._at

    def _value(self, key: str) -> tuple[int, Value]:
        kind = self._number("I")
        if kind == _ARRAY:
            kind = self._number("I")
            if kind != _STRING and kind not in _SCALARS:
                raise WeightsInvalid(f'GGUF key "{key[:100]}" is an array of the unknown type {kind}')
            return kind, self._array(key, kind)
        if kind == _STRING:
            return kind, self._string()
        if kind not in _SCALARS:
            raise WeightsInvalid(f'GGUF key "{key[:100]}" has the unknown type {kind}')
        return kind, self._scalars(_SCALARS[kind], 1)[0]

    def _array(self, key: str, kind: int) -> GgufArray:
        what = f'array "{key[:100]}"'
        if kind == _STRING:
            length = self._count(what, _LENGTH.size, _STRINGS_MOST)
            places = self._string_places(length)
            if length > self._longest_kept_array:
                for _ in places:
                    pass
                return GgufArray(length, None)
            # Tokens may be pieces of characters; their bytes are kept.
            return GgufArray(length, tuple(str(self._data[at:end], "utf-8", "surrogateescape") for at, end in places))
        length = self._count(what, struct.calcsize(_SCALARS[kind]))
        if length > self._longest_kept_array:
            self._at += struct.calcsize(_SCALARS[kind]) * length
            return GgufArray(length, None)
        return GgufArray(length, self._scalars(_SCALARS[kind], length))

    def _tensor_entries(self, count: int) -> Iterator[tuple[str, tuple[int, ...], int, int]]:
        for _ in range(count):
            name = self._string()
            dimension_count = self._number("I")
            if len(name) > _NAME_BYTES_MOST or not 1 <= dimension_count <= _DIMENSIONS_MOST:
                raise WeightsInvalid(f'tensor "{name[:100]}" has a bad name or {dimension_count} dimensions')
            shape = cast(tuple[int, ...], self._scalars("Q", dimension_count))
            yield name, shape, self._number("I"), self._number("Q")

    def _placed(self, entries: list[tuple[str, tuple[int, ...], int, int]], alignment: int) -> tuple[Tensor, ...]:
        start = -(-self._at // alignment) * alignment
        tensors: dict[str, Tensor] = {}
        for name, shape, type_number, offset in entries:
            kind = TENSOR_TYPES.get(type_number)
            if kind is None:
                raise WeightsInvalid(f'tensor "{name}" has the unknown type {type_number}')
            elements = prod(shape)
            if elements > _GO_INT_MOST or shape[0] % kind.block_elements or min(shape) < 1:
                raise WeightsInvalid(f'tensor "{name}" has the impossible shape {list(shape)}')
            size = elements // kind.block_elements * kind.block_bytes
            end = start + offset + size
            if end > self._size:
                raise WeightsInvalid(f'tensor "{name}" offset+size ({end}) exceeds file size ({self._size})')
            if offset % alignment or name in tensors:
                raise WeightsInvalid(f'tensor "{name}" is misaligned or appears twice')
            tensors[name] = Tensor(name, kind.name, shape, start + offset, size)
        return tuple(tensors.values())


def _alignment(metadata: dict[str, Value]) -> int:
    alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or isinstance(alignment, bool) or alignment < 8 or alignment & (alignment - 1):
        raise WeightsInvalid("GGUF general.alignment is no power of two of at least 8")
    return alignment
