"""Turn rows of values into the bytes of a GGUF tensor."""

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

from premrunner.weights.block_quants import BLOCK, K_QUANTIZERS
from premrunner.weights.ggml_library import Blocks, native_quantizer
from premrunner.weights.values import BLOCKS, Array, Float32, to_bfloat16, to_float16, to_float32

Kind = GGMLQuantizationType

_UNCHANGED = {("F32", Kind.F32), ("F16", Kind.F16), ("BF16", Kind.BF16)}


def encode(values: Array, dtype: str, kind: GGMLQuantizationType, name: str) -> npt.NDArray[np.generic]:
    """Give the bytes of some rows, as a contiguous array.

    Args:
        values: Shape (rows, columns), as ``values.NUMPY_DTYPES`` says for ``dtype``; finite.
        dtype: As safetensors spells it.
        kind: What to write.
        name: Of the tensor, for an error.

    Raises:
        WeightsInvalid: A value does not fit float16.
    """
    if (dtype, kind) in _UNCHANGED or dtype == BLOCKS + kind.name:
        return np.ascontiguousarray(values)
    if kind == Kind.F16:
        return np.ascontiguousarray(to_float16(values, dtype, name))
    wide = np.ascontiguousarray(to_float32(values, dtype))
    if kind == Kind.F32:
        return wide
    if kind == Kind.BF16:
        return to_bfloat16(wide)
    return quantize_rows(wide, kind)


def quantize_rows(values: Float32, kind: GGMLQuantizationType) -> Blocks:
    """Quantize rows with ggml's own code where it is installed, else with numpy; the blocks are the same.

    Args:
        values: Shape (rows, columns); columns must be a multiple of the type's block.
        kind: A quantized type.

    Returns:
        Shape (rows, bytes of a row).
    """
    if native := native_quantizer():
        return native(values, kind)
    return quantize_rows_in_numpy(values, kind)


def quantize_rows_in_numpy(values: Float32, kind: GGMLQuantizationType) -> Blocks:
    """Quantize rows without ggml: about 4 M values a second for the K-quants, 60 M for Q8_0."""
    rows, columns = values.shape
    block, block_bytes = GGML_QUANT_SIZES[kind]
    if kind in K_QUANTIZERS:
        return K_QUANTIZERS[kind](values.reshape(-1, BLOCK)).reshape(rows, columns // block * block_bytes)
    with np.errstate(over="ignore"):
        blocks: Blocks = quants.quantize(values, kind)
    return blocks


def row_bytes(column_count: int, kind: GGMLQuantizationType) -> int:
    """Bytes that a row takes."""
    block, block_bytes = GGML_QUANT_SIZES[kind]
    return column_count // block * block_bytes
