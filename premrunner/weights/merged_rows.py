"""A matrix and the change that an adapter makes to it, added while it is read."""

from dataclasses import dataclass

import numpy as np

from premrunner.weights.rearranged_rows import RearrangedRows
from premrunner.weights.rows import Rows
from premrunner.weights.values import Array, Float32, to_float32


@dataclass(frozen=True)
class MergedRows(RearrangedRows):
    """A matrix with its adapter's change added, read as float32.

    Attributes:
        left: Of shape (rows of the matrix, rank).
        right: Of shape (rank, columns of the matrix).
        magnitude: A single row with the length that each row of the matrix shall have, or None.
    """

    left: Rows
    right: Rows
    scale: float
    magnitude: Rows | None = None

    @property
    def dtype(self) -> str:
        """Float32, so that nothing is rounded before the end."""
        return "F32"

    def read(self, first: int, count: int) -> Array:
        """Read, add and, for DoRA, stretch."""
        left, right = _wide(self.left, first, count), _wide(self.right, 0, self.right.row_count)
        change = left @ right
        merged = to_float32(self.whole.read(first, count), self.whole.dtype) + change * np.float32(self.scale)
        if self.magnitude is None:
            return merged
        lengths = np.sqrt(np.square(merged).sum(axis=1, keepdims=True))
        wanted = _wide(self.magnitude, 0, self.magnitude.row_count).reshape(-1, 1)[first : first + count]
        stretch = np.divide(wanted, lengths, out=np.ones_like(lengths), where=lengths > 0)
        return np.asarray(merged * stretch)


def _wide(rows: Rows, first: int, count: int) -> Float32:
    return to_float32(rows.read(first, count), rows.dtype)
