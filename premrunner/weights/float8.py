"""Weights in 8-bit floats with scales, as DeepSeek's, Qwen's and Mistral's fp8 releases keep them."""

from dataclasses import dataclass
from math import ceil

import numpy as np

from premrunner.weights.errors import QuantizedCheckpoint, WeightsInvalid
from premrunner.weights.rearranged_rows import RearrangedRows
from premrunner.weights.rows import Rows, StoredRows
from premrunner.weights.values import Array, Float32, to_float32

SCALE_SUFFIXES = ("_scale_inv", "_scale")
# Scales of the activations, which nobody needs to run the weights in 16 bit.
UNUSED_SUFFIXES = (".input_scale", ".activation_scale", "_activation_scale", ".k_scale", ".v_scale", ".output_scale")


@dataclass(frozen=True)
class Float8Rows(RearrangedRows):
    """A matrix of 8-bit floats, read as float32 with its scales applied.

    Attributes:
        scales: Of shape (row blocks, column blocks); one scale serves a whole block.
    """

    scales: Float32

    @property
    def dtype(self) -> str:
        """Float32, because a scaled value no longer fits 8 bits."""
        return "F32"

    def read(self, first: int, count: int) -> Array:
        """Read, widen and scale."""
        values = to_float32(self.whole.read(first, count), self.whole.dtype)
        block_rows = ceil(self.row_count / self.scales.shape[0])
        block_columns = ceil(self.column_count / self.scales.shape[1])
        of_rows = self.scales[np.arange(first, first + count) // block_rows]
        return np.asarray(values * np.repeat(of_rows, block_columns, axis=1)[:, : self.column_count])


def scaled(weight: StoredRows, scale: StoredRows | None, block: tuple[int, int] | None) -> Rows:
    """Join a matrix of 8-bit floats with its scales.

    Args:
        weight: Of dtype F8_E4M3 or F8_E5M2.
        scale: One value, one a row, or one a block.
        block: Rows and columns of a block, where the config says.

    Raises:
        QuantizedCheckpoint: There are no scales.
        WeightsInvalid: The scales do not fit the matrix.
    """
    if scale is None:
        raise QuantizedCheckpoint("fp8 without scales")
    shape = (weight.row_count, weight.column_count)
    values = to_float32(scale.read(0, scale.row_count), scale.dtype)
    if values.size == 1:
        values = values.reshape(1, 1)
    elif scale.tensor.shape in ((shape[0],), (shape[0], 1)):
        values = values.reshape(-1, 1)
    elif block and values.shape != (ceil(shape[0] / block[0]), ceil(shape[1] / block[1])):
        raise WeightsInvalid(f"{scale.tensor.name} has the shape {values.shape}, which does not fit {shape}.")
    if not 1 <= values.shape[0] <= shape[0] or not 1 <= values.shape[1] <= shape[1]:
        raise WeightsInvalid(f"{scale.tensor.name} has the shape {values.shape}, which does not fit {shape}.")
    return Float8Rows(weight, _widened(values, shape, block))


def _widened(values: Float32, shape: tuple[int, int], block: tuple[int, int] | None) -> Float32:
    """Repeat block scales by row where blocks do not divide the rows evenly, so that ``Float8Rows`` can count."""
    if block is None or values.shape[0] in (1, shape[0]):
        return values
    by_row = np.repeat(values, block[0], axis=0)[: shape[0]]
    by_value = np.repeat(by_row, block[1], axis=1)[:, : shape[1]] if shape[1] % block[1] else by_row
    return np.ascontiguousarray(by_value)
