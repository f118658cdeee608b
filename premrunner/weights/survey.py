"""Look at every weight before the first byte is written: whether all are finite."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

import numpy as np

from premrunner.weights.errors import ValuesNotFinite
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.safetensors import StoredTensor
from premrunner.weights.values import NUMPY_DTYPES, count_not_finite

# Small enough that what was read is still in the processor's cache when it is looked at; a multiple of every value's
# size.
CHUNK_BYTES = 1024 * 1024


def survey(tensors: Iterable[StoredTensor], files: OpenFiles, advance: Callable[[int], None]) -> None:
    """Look at every value.

    Args:
        tensors: Of some files.
        files: To read them through.
        advance: Told of every byte that was looked at, from several threads; may raise to stop.

    Raises:
        ValuesNotFinite: Some weights are NaN or infinite.
    """
    by_file: dict[Path, list[StoredTensor]] = {}
    for tensor in tensors:
        by_file.setdefault(tensor.path, []).append(tensor)
    counts: dict[str, int] = {}
    # As many threads hash meanwhile.
    with ThreadPoolExecutor(max_workers=max(1, (cpu_count() or 1) // 2), thread_name_prefix="survey") as pool:
        looks = {path: pool.submit(_look, held, files, advance) for path, held in by_file.items()}
    for path, look in looks.items():
        counts |= look.result()
        if counts:
            raise ValuesNotFinite(counts, file_name=path.name)


def _look(tensors: Sequence[StoredTensor], files: OpenFiles, advance: Callable[[int], None]) -> dict[str, int]:
    """Count what is NaN or infinite in each tensor of one file that has any."""
    bad: dict[str, int] = {}
    # Used again and again: memory that is asked for anew must be cleared by the system each time.
    buffer = np.empty(CHUNK_BYTES, np.uint8)
    for tensor in sorted(tensors, key=lambda tensor: tensor.offset_bytes):
        if tensor.dtype not in NUMPY_DTYPES:
            advance(tensor.size_bytes)
            continue
        end = tensor.offset_bytes + tensor.size_bytes
        for begin in range(tensor.offset_bytes, end, CHUNK_BYTES):
            chunk = buffer[: end - begin]
            files.read_into(tensor.path, begin, chunk.data)
            count = count_not_finite(chunk.view(NUMPY_DTYPES[tensor.dtype]), tensor.dtype)
            if count:
                bad[tensor.name] = bad.get(tensor.name, 0) + count
            advance(len(chunk))
    return bad
