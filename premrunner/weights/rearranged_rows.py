"""The ways to rearrange a tensor while it is read: slice, stack, interleave, shift, transpose."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from premrunner.weights.rows import Rows
from premrunner.weights.values import Array, to_float32


@dataclass(frozen=True)
class RearrangedRows:
    """What all of them have in common: unless one says otherwise, it is as large as the whole and of its dtype."""

    whole: Rows

    @property
    def dtype(self) -> str:
        """What ``read`` gives."""
        return self.whole.dtype

    @property
    def column_count(self) -> int:
        """Length of a row."""
        return self.whole.column_count

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return self.whole.row_count


@dataclass(frozen=True)
class UprightRows(RearrangedRows):
    """A vector seen as a column, so that its elements can be rearranged as rows are."""

    @property
    def column_count(self) -> int:
        """One."""
        return 1

    @property
    def row_count(self) -> int:
        """Length of the vector."""
        return self.whole.column_count

    def read(self, first: int, count: int) -> Array:
        """Read the vector and stand it up."""
        return self.whole.read(0, 1).reshape(-1, 1)[first : first + count]


@dataclass(frozen=True)
class SlicedRows(RearrangedRows):
    """Some consecutive rows of a tensor."""

    start: int
    length: int

    @property
    def row_count(self) -> int:
        """How many there are."""
        return self.length

    def read(self, first: int, count: int) -> Array:
        """Read from the whole."""
        return self.whole.read(self.start + first, count)


@dataclass(frozen=True)
class EveryNthColumn(RearrangedRows):
    """Every so many columns of a matrix: one expert's part of matrices that are stacked along their columns."""

    start: int
    step: int

    @property
    def column_count(self) -> int:
        """How many there are."""
        return -(-(self.whole.column_count - self.start) // self.step)

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
class InterleavedRows(RearrangedRows):
    """The rows of q or k of a llama-family model, whose two rotary halves GGUF wants in turns.

    Hugging Face keeps, for each head, first the rows of all real parts and then those of all imaginary parts;
    llama.cpp wants pairs. Source: ``LlamaModel.permute`` in llama.cpp's conversion/llama.py.
    """

    head_count: int

    def read(self, first: int, count: int) -> Array:
        """Read all heads that the range touches and give its rows in their new order."""
        head_rows = self.row_count // self.head_count
        begin = first // head_rows * head_rows
        end = -(-(first + count) // head_rows) * head_rows
        heads = self.whole.read(begin, end - begin).reshape(-1, 2, head_rows // 2, self.column_count)
        return heads.swapaxes(1, 2).reshape(end - begin, -1)[first - begin : first - begin + count]


@dataclass(frozen=True)
class ShiftedRows(RearrangedRows):
    """A norm whose weight is stored less one, as Gemma does; read as float32."""

    shift: float

    @property
    def dtype(self) -> str:
        """Float32: rounding to 16 bit after the addition would lose what storing it less one had won."""
        return "F32"

    def read(self, first: int, count: int) -> Array:
        """Read and add."""
        return to_float32(self.whole.read(first, count), self.whole.dtype) + np.float32(self.shift)


@dataclass(frozen=True)
class TransposedRows(RearrangedRows):
    """A matrix stored the other way round, as GPT-2's Conv1D layers are.

    Holds the whole matrix from the first row that is read until the last was: columns cannot be read from a file.
    """

    _kept: list[Array] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

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
