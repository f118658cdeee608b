"""ggml's own functions over rows of values, borrowed from the engine's library where that is installed.

xllamacpp (the built-in engine, a dependency of PremRunner on Linux and on Apple silicon) carries all of ggml in one
shared library and exports ``ggml_quantize_chunk``, the function that llama-quantize calls: so the blocks are the same
bit by bit, and Python's lock is released while it works. libgguf, which has the same blocks, holds that lock and has
no wheel for Linux on ARM. Without xllamacpp, numpy gives the same bytes, slowly (``block_quants``, ``values``).
"""

import ctypes
import importlib.util
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

logger = logging.getLogger(__name__)

Blocks = npt.NDArray[np.uint8]
Quantize = Callable[[npt.NDArray[np.float32], GGMLQuantizationType], Blocks]
# Takes values, and where to put them if that is there already: contiguous, of the same size.
Convert = Callable[..., npt.NDArray[Any]]

# These ask for an importance matrix, which a conversion does not have, and abort the process without one.
_NEED_IMPORTANCE = {"IQ2_XXS", "IQ2_XS", "IQ1_S", "IQ1_M", "IQ2_S"}


@cache
def native_quantizer() -> Quantize | None:
    """Give ggml's quantizer, or None where its library is not installed or has changed."""
    chunk = _function("ggml_quantize_chunk", ctypes.c_size_t, "ippqqqp")
    row_size = _function("ggml_row_size", ctypes.c_size_t, "iq")
    if chunk is None or row_size is None:
        return None

    def quantize(values: npt.NDArray[np.float32], kind: GGMLQuantizationType) -> Blocks:
        rows, columns = values.shape
        block, block_bytes = GGML_QUANT_SIZES[kind]
        row_bytes = columns // block * block_bytes
        if kind.name in _NEED_IMPORTANCE or columns % block or row_size(kind, columns) != row_bytes:
            raise NotImplementedError(f"{kind.name} cannot be written with rows of {columns}.")
        values = np.ascontiguousarray(values, dtype=np.float32)
        blocks = np.empty((rows, row_bytes), np.uint8)
        written = chunk(kind, values.ctypes.data, blocks.ctypes.data, 0, rows, columns, None)
        if written != blocks.size:
            raise NotImplementedError(f"ggml wrote {written} bytes of {kind.name} where {blocks.size} were expected.")
        return blocks

    return quantize


@cache
def native_float16() -> Convert | None:
    """Give ggml's rounding of float32 to float16 (ties to even, too large becomes infinite): 20 times numpy's speed."""
    return _converter("ggml_cpu_fp32_to_fp16", np.float32, np.float16)


@cache
def native_float32() -> Convert | None:
    """Give ggml's widening of bfloat16, as its bits, to float32."""
    return _converter("ggml_cpu_bf16_to_fp32", np.uint16, np.float32)


def _converter(name: str, stored: npt.DTypeLike, wanted: npt.DTypeLike) -> Convert | None:
    function = _function(name, None, "ppq")
    if function is None:
        return None

    def convert(values: npt.NDArray[Any], into: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        values = np.ascontiguousarray(values, dtype=stored)
        converted = np.empty(values.shape, wanted) if into is None else into
        function(values.ctypes.data, converted.ctypes.data, values.size)
        return converted

    return convert


_TYPES: dict[str, Any] = {"i": ctypes.c_int, "q": ctypes.c_int64, "p": ctypes.c_void_p}


def _function(name: str, result: type[ctypes.c_size_t] | None, arguments: str) -> Callable[..., int] | None:
    """Give a function of the library, or None; ``arguments`` has a letter of ``_TYPES`` for each."""
    library = _library()
    if library is None:
        return None
    try:
        function = library[name]
    except AttributeError:
        logger.warning("The engine's library has no %s; numpy is used, which is slower.", name)
        return None
    function.restype = result
    function.argtypes = [_TYPES[letter] for letter in arguments]
    return function


@cache
def _library() -> ctypes.CDLL | None:
    # Found without importing it: an import starts the engine's logging and thread pool.
    spec = importlib.util.find_spec("xllamacpp")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("xllamacpp*.so")):
            try:
                return ctypes.CDLL(str(path))
            except OSError:
                logger.warning("The engine's library cannot be loaded; numpy is used, which is slower.", exc_info=True)
    return None
