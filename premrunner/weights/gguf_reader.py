"""Read a GGUF file's header without trusting a byte of it, and its tensors as rows.

The gguf package's own reader maps the file and keeps an array for each token, which takes seconds for a large
vocabulary, and believes every length it reads.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGUF_DEFAULT_ALIGNMENT, GGMLQuantizationType, GGUFValueType

from premrunner.weights.errors import NotWeights, WeightsInvalid
from premrunner.weights.metadata import SCALARS, Entry, Metadata
from premrunner.weights.rows import OpenFiles
from premrunner.weights.values import BLOCKS, Array

MAX_KEYS = 10_000
MAX_TENSORS = 100_000
_NATIVE: dict[GGMLQuantizationType, tuple[str, npt.DTypeLike]] = {
    GGMLQuantizationType.F32: ("F32", np.dtype("<f4")),
    GGMLQuantizationType.F16: ("F16", np.dtype("<f2")),
    GGMLQuantizationType.BF16: ("BF16", np.dtype("<u2")),
    GGMLQuantizationType.F64: ("F64", np.dtype("<f8")),
}


@dataclass(frozen=True)
class GGUFTensor:
    """A tensor of a GGUF file.

    Attributes:
        shape: Outermost first, unlike in the file.
        offset_bytes: From the start of the file.
    """

    name: str
    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    offset_bytes: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        block, block_bytes = GGML_QUANT_SIZES[self.kind]
        return self.shape[-1] // block * block_bytes

    @property
    def value_count(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of all rows."""
        return prod(self.shape[:-1]) * self.row_bytes


@dataclass(frozen=True)
class GGUFFile:
    """A GGUF file, opened.

    Attributes:
        tensors: By name, in the order of the file.
    """

    path: Path
    metadata: Metadata
    tensors: Mapping[str, GGUFTensor]

    @property
    def architecture(self) -> str:
        """The family, as GGUF spells it."""
        return str(self.metadata.get("general.architecture"))

    def number(self, key: str) -> int | None:
        """Give a number of the architecture (``attention.head_count``), or None."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        return value if type(value) is int else None


@dataclass(frozen=True)
class GGUFRows:
    """A tensor of a GGUF file as rows; quantized ones as their blocks."""

    path: Path
    tensor: GGUFTensor
    files: OpenFiles

    @property
    def dtype(self) -> str:
        """As safetensors spells it, or the type of the blocks."""
        native = _NATIVE.get(self.tensor.kind)
        return native[0] if native else BLOCKS + self.tensor.kind.name

    @property
    def column_count(self) -> int:
        """Values in a row."""
        return self.tensor.shape[-1]

    @property
    def row_count(self) -> int:
        """All other dimensions multiplied."""
        return prod(self.tensor.shape[:-1])

    def read(self, first: int, count: int) -> Array:
        """Read values, or blocks as bytes."""
        values: Array = np.empty((count, self.tensor.row_bytes), np.uint8)
        if values.size:
            self.files.read_into(
                self.path, self.tensor.offset_bytes + first * self.tensor.row_bytes, values.data.cast("B")
            )
        native = _NATIVE.get(self.tensor.kind)
        return values.view(native[1]) if native else values


def read_gguf(path: Path) -> GGUFFile:
    """Read the keys and the places of the tensors.

    Raises:
        NotWeights: It is no GGUF file.
        WeightsInvalid: It is one, and damaged.
    """
    try:
        with path.open("rb") as file:
            return _Reader(file, path).read()
    except OSError as error:
        raise WeightsInvalid(f"{path.name} cannot be read.", file_name=path.name) from error


class _Reader:
    """Walks over a header; every length is held against what is left of the file."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._left = path.stat().st_size

    def read(self) -> GGUFFile:
        if self._left < 24 or self._take(4) != b"GGUF":
            raise NotWeights(f"{self._path.name} is no GGUF file.", file_name=self._path.name)
        version = self._number("I")
        if version not in (2, 3):
            raise self._damaged(f"its version is {version}; 2 and 3 are known")
        tensor_count, key_count = self._number("Q"), self._number("Q")
        if tensor_count > MAX_TENSORS or key_count > MAX_KEYS:
            raise self._damaged(f"it would have {tensor_count} tensors and {key_count} keys")
        metadata = Metadata([self._entry() for _ in range(key_count)])
        tensors = [self._tensor() for _ in range(tensor_count)]
        alignment = metadata.get("general.alignment") or GGUF_DEFAULT_ALIGNMENT
        if type(alignment) is not int or not 0 < alignment <= 65536:
            raise self._damaged("its alignment makes no sense")
        start = -(-self._file.tell() // alignment) * alignment
        return GGUFFile(self._path, metadata, self._placed(tensors, start))

    def _placed(self, tensors: list[GGUFTensor], start: int) -> dict[str, GGUFTensor]:
        size_bytes = self._path.stat().st_size
        placed: dict[str, GGUFTensor] = {}
        for tensor in tensors:
            if tensor.name in placed:
                raise self._damaged(f"it holds {tensor.name[:80]!r} twice")
            end = start + tensor.offset_bytes + tensor.size_bytes
            if end > size_bytes:
                raise self._damaged(f"it is cut off: {tensor.name[:80]} ends at {end}, and the file at {size_bytes}")
            placed[tensor.name] = GGUFTensor(tensor.name, tensor.shape, tensor.kind, start + tensor.offset_bytes)
        return placed

    def _tensor(self) -> GGUFTensor:
        name = self._text().decode("utf-8", "replace")
        dimension_count = self._number("I")
        if not 1 <= dimension_count <= 4:
            raise self._damaged(f"{name[:80]!r} has {dimension_count} dimensions")
        shape = tuple(self._number("Q") for _ in range(dimension_count))[::-1]
        try:
            kind = GGMLQuantizationType(self._number("I"))
        except ValueError as error:
            raise self._damaged(f"{name[:80]!r} has a type that is not known") from error
        if not all(0 < size < 2**40 for size in shape) or shape[-1] % GGML_QUANT_SIZES[kind][0]:
            raise self._damaged(f"{name[:80]!r} has an impossible shape")
        return GGUFTensor(name, shape, kind, self._number("Q"))

    def _entry(self) -> Entry:
        key = self._text().decode("utf-8", "replace")
        kind = self._kind()
        if kind != GGUFValueType.ARRAY:
            return Entry(key, kind, self._value(kind))
        kind, count = self._kind(), self._number("Q")
        if kind == GGUFValueType.ARRAY:
            raise self._damaged(f"{key[:80]!r} nests lists")
        smallest = 8 if kind == GGUFValueType.STRING else struct.calcsize(SCALARS[kind])
        if count * smallest > self._left:
            raise self._damaged(f"{key[:80]!r} would have {count} elements")
        if kind == GGUFValueType.STRING:
            return Entry(key, kind, [self._text() for _ in range(count)])
        return Entry(key, kind, list(struct.unpack(f"<{count}{SCALARS[kind]}", self._take(count * smallest))))

    def _kind(self) -> GGUFValueType:
        try:
            return GGUFValueType(self._number("I"))
        except ValueError as error:
            raise self._damaged("a key has a type that is not known") from error

    def _value(self, kind: GGUFValueType) -> Any:
        return (
            self._text().decode("utf-8", "surrogateescape")
            if kind == GGUFValueType.STRING
            else self._number(SCALARS[kind])
        )

    def _text(self) -> bytes:
        return self._take(self._number("Q"))

    def _number(self, letter: str) -> Any:
        return struct.unpack("<" + letter, self._take(struct.calcsize("<" + letter)))[0]

    def _take(self, count: int) -> bytes:
        if count > self._left:
            raise self._damaged("it ends in the middle of its header")
        self._left -= count
        return self._file.read(count)

    def _damaged(self, reason: str) -> WeightsInvalid:
        return WeightsInvalid(f"{self._path.name} is damaged: {reason}.", file_name=self._path.name)
