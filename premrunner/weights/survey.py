"""Read every source once before the first byte is written: its SHA-256, and whether all weights are finite.

The digests belong at the front of the GGUF file, whose own digest is computed while it is written, so they cannot be
had in the same pass. The second pass then reads from the system's cache.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from os import cpu_count
from pathlib import Path

import numpy as np

from premrunner.weights.errors import ValuesNotFinite
from premrunner.weights.hashing import BUFFERS, BackgroundSha256
from premrunner.weights.rows import OpenFiles
from premrunner.weights.safetensors import StoredTensor
from premrunner.weights.values import NUMPY_DTYPES, count_not_finite

# Small enough that what was read is still in the processor's cache when it is hashed; a multiple of every value's size.
CHUNK_BYTES = 1024 * 1024

Advance = Callable[[int], None]


@dataclass(frozen=True)
class SourceFile:
    """A file that a conversion was made from.

    Attributes:
        role: ``model``, ``base`` or ``adapter``.
    """

    role: str
    name: str
    size_bytes: int
    sha256: str


def survey(
    role: str, paths: Sequence[Path], tensors: Iterable[StoredTensor], files: OpenFiles, advance: Advance
) -> list[SourceFile]:
    """Hash files and look at every value in them.

    Args:
        role: What the files are to the conversion.
        paths: Files to hash, in the order of the result.
        tensors: Those that lie in them; only their values are looked at.
        files: To read through.
        advance: Told the bytes that were read, from several threads; may raise to stop.

    Raises:
        ValuesNotFinite: Some weights are NaN or infinite.
    """
    by_file: dict[Path, list[StoredTensor]] = {path: [] for path in paths}
    for tensor in tensors:
        by_file.setdefault(tensor.path, []).append(tensor)
    counts: dict[str, int] = {}
    # Each file takes two threads: one reads and looks, one hashes.
    with ThreadPoolExecutor(max_workers=max(1, (cpu_count() or 1) // 2), thread_name_prefix="survey") as pool:
        results = list(pool.map(partial(_survey_file, role, files=files, advance=advance), by_file.items()))
    for found, bad in results:
        counts |= bad
        if bad:
            raise ValuesNotFinite(counts, file_name=found.name)
    return [found for found, _ in results]


def _survey_file(
    role: str, item: tuple[Path, list[StoredTensor]], *, files: OpenFiles, advance: Advance
) -> tuple[SourceFile, dict[str, int]]:
    path, tensors = item
    size_bytes = files.size_bytes(path)
    bad: dict[str, int] = {}
    # Used in turns: memory that is asked for anew must be cleared by the system each time.
    buffers = cycle([np.empty(CHUNK_BYTES, np.uint8) for _ in range(BUFFERS)])
    with BackgroundSha256() as digest:
        for tensor, begin, end in _ranges(tensors, size_bytes):
            chunk = next(buffers)[: end - begin]
            files.read_into(path, begin, chunk.data)
            advance(end - begin)
            digest.update(chunk)
            if tensor and tensor.dtype in NUMPY_DTYPES:
                count = count_not_finite(chunk.view(NUMPY_DTYPES[tensor.dtype]), tensor.dtype)
                if count:
                    bad[tensor.name] = bad.get(tensor.name, 0) + count
        return SourceFile(role, path.name, size_bytes, digest.hexdigest()), bad


def _ranges(tensors: Sequence[StoredTensor], size_bytes: int) -> Iterator[tuple[StoredTensor | None, int, int]]:
    """Cut a whole file into ranges with the tensor that each belongs to; what lies between tensors belongs to none."""
    place = 0
    for tensor in sorted(tensors, key=lambda tensor: tensor.offset_bytes):
        yield from ((None, begin, end) for begin, end in _cut(place, tensor.offset_bytes))
        place = tensor.offset_bytes + tensor.size_bytes
        yield from ((tensor, begin, end) for begin, end in _cut(tensor.offset_bytes, place))
    yield from ((None, begin, end) for begin, end in _cut(place, size_bytes))


def _cut(begin: int, end: int) -> Iterator[tuple[int, int]]:
    return ((place, min(end, place + CHUNK_BYTES)) for place in range(begin, end, CHUNK_BYTES))
