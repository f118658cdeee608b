"""llama.cpp's own quantizer, borrowed from the engine's library where that is installed.

xllamacpp (the built-in engine, a dependency of PremRunner on Linux and on Apple silicon) carries all of ggml in one
shared library and exports ``ggml_quantize_chunk``, the function that llama-quantize calls: so the blocks are the same
bit by bit, and Python's lock is released while it works. libgguf, which has the same blocks, holds that lock and has
no wheel for Linux on ARM. Without xllamacpp the numpy way in ``block_quants`` gives the same blocks, slowly.
"""

import ctypes
import importlib.util
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from premrunner.weights.values import Float32

logger = logging.getLogger(__name__)

Blocks = npt.NDArray[np.uint8]
Quantize = Callable[[Float32, GGMLQuantizationType], Blocks]

# These ask for an importance matrix, which a conversion does not have, and abort the process without one.
_NEED_IMPORTANCE = {"IQ2_XXS", "IQ2_XS", "IQ1_S", "IQ1_M", "IQ2_S"}


@cache
def native_quantizer() -> Quantize | None:
    """Give ggml's quantizer, or None where its library is not installed or has changed."""
    path = _library_path()
    if path is None:
        return None
    try:
        library = ctypes.CDLL(str(path))
        chunk, row_size = library.ggml_quantize_chunk, library.ggml_row_size
    except (OSError, AttributeError):
        logger.warning("The engine's library has no quantizer; numpy's is used, which is slower.", exc_info=True)
        return None
    chunk.restype = row_size.restype = ctypes.c_size_t
    row_size.argtypes = [ctypes.c_int, ctypes.c_int64]
    chunk.argtypes = [
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_void_p,
    ]

    def quantize(values: Float32, kind: GGMLQuantizationType) -> Blocks:
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


def _library_path() -> Path | None:
    # Found without importing it: an import starts the engine's logging and thread pool.
    spec = importlib.util.find_spec("xllamacpp")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("xllamacpp*.so")):
            return path
    return None
