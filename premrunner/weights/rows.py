"""A tensor seen as rows that can be read a few at a time.

A tensor of more than two dimensions is seen with all but the last folded into rows, as GGUF stores it. So the largest
tensor of a model never needs to be in memory, and rearranging, merging and quantizing compose (``rearranged_rows``,
``merged_rows``).
"""

from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np

from premrunner.weights.open_files import OpenFiles
from premrunner.weights.safetensors import StoredTensor
from premrunner.weights.values import NUMPY_DTYPES, Array, Float32


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
