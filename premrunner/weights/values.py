"""Turn stored values into float32 and back: bfloat16, float16 and the two 8-bit floats, in numpy alone.

numpy has no bfloat16 and no 8-bit float, so both travel as their bits: ``uint16`` and ``uint8``. Blocks of a quantized
GGUF tensor travel as bytes too; their dtype is then spelled ``GGUF:Q4_K``.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, quants

from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.ggml_library import native_float16, native_float32

Float32 = npt.NDArray[np.float32]
Array = npt.NDArray[np.generic]

# In front of a GGUF type: the values are that type's blocks.
BLOCKS = "GGUF:"

# How the values of each safetensors dtype are held in numpy.
NUMPY_DTYPES: dict[str, npt.DTypeLike] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "F8_E4M3": np.dtype("u1"),
    "F8_E5M2": np.dtype("u1"),
}

# Widened on their way to float16 at a time: so few stay in the processor's cache, and need no memory that the system
# must clear first.
_BLOCK_VALUES = 128 * 1024

# For each float format: the bits without the sign, and the smallest pattern that is infinite or NaN.
_NOT_FINITE_FROM: dict[str, tuple[npt.DTypeLike, int, int]] = {
    "F64": (np.dtype("<u8"), 0x7FFFFFFFFFFFFFFF, 0x7FF0000000000000),
    "F32": (np.dtype("<u4"), 0x7FFFFFFF, 0x7F800000),
    "F16": (np.dtype("<u2"), 0x7FFF, 0x7C00),
    "BF16": (np.dtype("<u2"), 0x7FFF, 0x7F80),
    "F8_E4M3": (np.dtype("u1"), 0x7F, 0x7F),  # No infinity: only all ones is NaN.
    "F8_E5M2": (np.dtype("u1"), 0x7F, 0x7C),
}


def to_float32(values: Array, dtype: str) -> Float32:
    """Widen stored values; exact for all but F64, which is rounded.

    Args:
        values: As ``NUMPY_DTYPES`` says for ``dtype``; any shape.
        dtype: As safetensors spells it.

    Raises:
        WeightsInvalid: Blocks whose scales are NaN or infinite.
    """
    if dtype.startswith(BLOCKS):
        return _dequantized(values, GGMLQuantizationType[dtype.removeprefix(BLOCKS)])
    if dtype == "BF16" and (widen := native_float32()):
        return widen(values.view(np.uint16))
    if dtype == "BF16":
        bits = values.astype(np.uint32)
        bits <<= np.uint32(16)  # In place: memory that is asked for anew must be cleared by the system each time.
        return bits.view(np.float32)
    if dtype.startswith("F8"):
        return np.asarray(_float8_table(dtype)[values])
    return values.astype(np.float32, copy=False)


def to_bfloat16(values: Float32) -> npt.NDArray[np.uint16]:
    """Round to the nearest bfloat16, ties to even, as ``ggml_compute_fp32_to_bf16`` does; no NaN may be in it."""
    bits = values.view(np.uint32)
    return ((bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) >> np.uint32(16)).astype(np.uint16)


def to_float16(values: Array, dtype: str, name: str) -> npt.NDArray[np.float16]:
    """Round stored values to the nearest float16.

    Args:
        values: As ``NUMPY_DTYPES`` says for ``dtype``.
        dtype: As safetensors spells it.
        name: Of the tensor, for the error.

    Raises:
        WeightsInvalid: A value is too large for float16, whose greatest is 65504.
    """
    if narrow := native_float16():
        rounded = np.empty(values.shape, np.float16)
        flat, target = values.reshape(-1), rounded.reshape(-1)
        for first in range(0, flat.size, _BLOCK_VALUES):
            block = slice(first, first + _BLOCK_VALUES)
            narrow(to_float32(flat[block], dtype), target[block])
    elif dtype == "BF16":
        # A look into a table of all 65536 is three times as fast as numpy's conversion.
        rounded = np.take(_float16_of_bfloat16(), values.view(np.uint16))
    else:
        rounded = _rounded_to_float16(to_float32(values, dtype))
    if count := count_not_finite(rounded, "F16"):
        raise WeightsInvalid(
            f"{count} values of {name} are too large for float16. Convert to bf16, f32 or a quantized type."
        )
    return rounded


def count_not_finite(values: Array, dtype: str) -> int:
    """Count NaN and infinity.

    Looks at the bits: the greatest pattern of each sign decides, and only where one is not finite are they counted, so
    a sound tensor costs two passes over what the processor has in its cache.
    """
    if dtype not in _NOT_FINITE_FROM or not values.size:
        return 0
    unsigned, magnitude, smallest = _NOT_FINITE_FROM[dtype]
    bits = values.view(unsigned)
    # As signed numbers, all patterns with the sign's bit are less than those without.
    if int(bits.max()) < smallest + magnitude + 1 and int(bits.view(f"i{bits.itemsize}").max()) < smallest:
        return 0
    return int(np.count_nonzero((bits & np.array(magnitude, unsigned)) >= smallest))


def _dequantized(blocks: Array, kind: GGMLQuantizationType) -> Float32:
    with np.errstate(invalid="ignore", over="ignore"):
        values = np.asarray(quants.dequantize(blocks, kind))
    if not np.isfinite(values).all():
        raise WeightsInvalid("The GGUF file holds blocks that are NaN or infinite; it is damaged.")
    return values


@cache
def _float16_of_bfloat16() -> npt.NDArray[np.float16]:
    return _rounded_to_float16(to_float32(np.arange(65536, dtype=np.uint16), "BF16"))


def _rounded_to_float16(values: Float32) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        return values.astype(np.float16)


@cache
def _float8_table(dtype: str) -> Float32:
    """All 256 values of an 8-bit float (OCP 8-bit Floating Point Specification, section 5)."""
    mantissa_bits, bias = (3, 7) if dtype == "F8_E4M3" else (2, 15)
    code = np.arange(256)
    sign = np.where(code & 0x80, -1.0, 1.0)
    exponent = (code & 0x7F) >> mantissa_bits
    fraction = (code & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    normal = (1 + fraction) * np.exp2(exponent - bias)
    table = sign * np.where(exponent == 0, fraction * np.exp2(1.0 - bias), normal)
    magnitude, smallest = _NOT_FINITE_FROM[dtype][1:]
    infinite = (code & magnitude) == smallest if dtype == "F8_E5M2" else np.zeros(256, bool)
    table = np.where((code & magnitude) >= smallest, np.nan, table)
    return np.where(infinite, sign * np.inf, table).astype(np.float32)
