"""A tensor seen as rows that can be read a few at a time, and the ways to rearrange one while it is read.

Every class here has ``row_count``, ``column_count``, ``dtype`` and ``read``; a tensor of more than two dimensions is
seen with all but the last folded into rows, as GGUF stores it. So the largest tensor of a model never needs to be in
memory, and permuting, slicing and stacking compose.
"""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np

from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.safetensors import StoredTensor
from premrunner.weights.values import NUMPY_DTYPES, Array, Float32, to_float32


class Rows(Protocol):
    """Rows that can be read.

    Attributes:
        dtype: What ``read`` gives, as safetensors spells it; ``BF16`` comes as its bits (``uint16``).
    """

    @property
    def row_count(self) -> int: ...  # noqa: D102
    @property
    def column_count(self) -> int: ...  # noqa: D102
    @property
    def dtype(self) -> str: ...  # noqa: D102

    def read(self, first: int, count: int) -> Array:
        """Read rows: shape (count, column_count). Safe to call from several threads."""


class OpenFiles:
    """Files opened once for positional reads from several threads.

    Not a memory map: a map counts as memory in use, and kills the process with SIGBUS when somebody shortens the file.
    """

    def __init__(self) -> None:
        self._descriptors: dict[Path, int] = {}
        self._lock = threading.Lock()

    def read_into(self, path: Path, offset_bytes: int, target: memoryview) -> None:
        """Fill ``target`` from a place in a file.

        Raises:
            WeightsInvalid: The file has become shorter since it was checked.
        """
        with self._lock:
            if path not in self._descriptors:
                self._descriptors[path] = os.open(path, os.O_RDONLY)
            descriptor = self._descriptors[path]
        while len(target):
            count = os.preadv(descriptor, [target], offset_bytes)
            if not count:
                raise WeightsInvalid(f"{path.name} became shorter while it was read.", file_name=path.name)
            target = target[count:]
            offset_bytes += count

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            for descriptor in self._descriptors.values():
                os.close(descriptor)
            self._descriptors.clear()


@dataclass(frozen=True)
class StoredRows:
    """A tensor of a safetensors file, as it is stored."""

    tensor: StoredTensor
    files: OpenFiles

    @property
    def dtype(self) -> str:
        """As stored."""
        return self.tensor.dtype

    @property
    def column_count(self) -> int:
        """Length of the innermost dimension."""
        return self.tensor.shape[-1] if self.tensor.shape else 1

    @property
    def row_count(self) -> int:
        """All other dimensions multiplied."""
        return prod(self.tensor.shape[:-1])

    def read(self, first: int, count: int) -> Array:
        """Read from the file."""
        values = np.empty((count, self.column_count), NUMPY_DTYPES[self.dtype])
        if values.size:
            start = self.tensor.offset_bytes + first * self.column_count * values.itemsize
            self.files.read_into(self.tensor.path, start, values.data.cast("B"))
        return values


@dataclass(frozen=True)
class UprightRows:
    """A vector seen as a column, so that its elements can be rearranged as rows are."""

    whole: Rows
    column_count: int = 1

    @property
    def dtype(self) -> str:
        """As in the whole."""
        return self.whole.dtype

    @property
    def row_count(self) -> int:
        """Length of the vector."""
        return self.whole.column_count

    def read(self, first: int, count: int) -> Array:
        """Read the vector and stand it up."""
        return self.whole.read(0, 1).reshape(-1, 1)[first : first + count]


@dataclass(frozen=True)
class ConstantRows:
    """Values that the converter makes itself; one row of float32."""

    values: Float32
    dtype: str = "F32"
    row_count: int = 1

    @property
    def column_count(self) -> int:
        """How many there are."""
        return self.values.size

    def read(self, first: int, count: int) -> Array:
        """Give them."""
        return self.values.reshape(1, -1)[first : first + count]


@dataclass(frozen=True)
class SlicedRows:
    """Some consecutive rows of a tensor."""

    whole: Rows
    start: int
    row_count: int

    @property
    def dtype(self) -> str:
        """As in the whole."""
        return self.whole.dtype

    @property
    def column_count(self) -> int:
        """As in the whole."""
        return self.whole.column_count

    def read(self, first: int, count: int) -> Array:
        """Read from the whole."""
        return self.whole.read(self.start + first, count)


@dataclass(frozen=True)
class EveryNthColumn:
    """Every so many columns of a matrix: one expert's part of matrices that are stacked along their columns."""

    whole: Rows
    start: int
    step: int

    @property
    def dtype(self) -> str:
        """As in the whole."""
        return self.whole.dtype

    @property
    def column_count(self) -> int:
        """How many there are."""
        return -(-(self.whole.column_count - self.start) // self.step)

    @property
    def row_count(self) -> int:
        """As in the whole."""
        return self.whole.row_count

    def read(self, first: int, count: int) -> Array:
        """Read all columns and pick."""
        return self.whole.read(first, count)[:, self.start :: self.step]


@dataclass(frozen=True)
class StackedRows:
    """Several tensors of one width, one after the other: the experts of a layer, say."""

    parts: Sequence[Rows]

    @property
    def dtype(self) -> str:
        """That of the parts, or float32 where they differ."""
        dtypes = {part.dtype for part in self.parts}
        return dtypes.pop() if len(dtypes) == 1 else "F32"

    @property
    def column_count(self) -> int:
        """As in each part."""
        return self.parts[0].column_count

    @property
    def row_count(self) -> int:
        """Rows of all parts."""
        return sum(part.row_count for part in self.parts)

    def read(self, first: int, count: int) -> Array:
        """Read from the parts that the range touches."""
        pieces, start = [], 0
        for part in self.parts:
            begin, end = max(first, start), min(first + count, start + part.row_count)
            if begin < end:
                piece = part.read(begin - start, end - begin)
                pieces.append(piece if part.dtype == self.dtype else to_float32(piece, part.dtype))
            start += part.row_count
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


@dataclass(frozen=True)
class InterleavedRows:
    """The rows of q or k of a llama-family model, whose two rotary halves GGUF wants in turns.

    Hugging Face keeps, for each head, first the rows of all real parts and then those of all imaginary parts;
    llama.cpp wants pairs. Source: ``LlamaModel.permute`` in llama.cpp's conversion/llama.py.
    """

    whole: Rows
    head_count: int

    @property
    def dtype(self) -> str:
        """As in the whole."""
        return self.whole.dtype

    @property
    def column_count(self) -> int:
        """As in the whole."""
        return self.whole.column_count

    @property
    def row_count(self) -> int:
        """As in the whole."""
        return self.whole.row_count

    def read(self, first: int, count: int) -> Array:
        """Read all heads that the range touches and give its rows in their new order."""
        head_rows = self.row_count // self.head_count
        begin = first // head_rows * head_rows
        end = -(-(first + count) // head_rows) * head_rows
        heads = self.whole.read(begin, end - begin).reshape(-1, 2, head_rows // 2, self.column_count)
        return heads.swapaxes(1, 2).reshape(end - begin, -1)[first - begin : first - begin + count]


@dataclass(frozen=True)
class ShiftedRows:
    """A norm whose weight is stored less one, as Gemma does; read as float32."""

    whole: Rows
    shift: float
    dtype: str = "F32"

    @property
    def column_count(self) -> int:
        """As in the whole."""
        return self.whole.column_count

    @property
    def row_count(self) -> int:
        """As in the whole."""
        return self.whole.row_count

    def read(self, first: int, count: int) -> Array:
        """Read and add."""
        return to_float32(self.whole.read(first, count), self.whole.dtype) + np.float32(self.shift)


@dataclass(frozen=True)
class TransposedRows:
    """A matrix stored the other way round, as GPT-2's Conv1D layers are.

    Holds the whole matrix from the first row that is read until the last was: columns cannot be read from a file.
    """

    whole: Rows
    _kept: list[Array] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def dtype(self) -> str:
        """As in the whole."""
        return self.whole.dtype

    @property
    def column_count(self) -> int:
        """Rows of the whole."""
        return self.whole.row_count

    @property
    def row_count(self) -> int:
        """Columns of the whole."""
        return self.whole.column_count

    def read(self, first: int, count: int) -> Array:
        """Read the whole once and give its columns."""
        with self._lock:
            if not self._kept:
                self._kept.append(self.whole.read(0, self.whole.row_count))
            matrix = self._kept[0]
            if first + count == self.row_count:
                self._kept.clear()
        return np.ascontiguousarray(matrix[:, first : first + count].T)
