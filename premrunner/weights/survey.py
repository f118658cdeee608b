"""Read every source once before the first byte is written: its SHA-256, and whether all weights are finite.

The digests belong at the front of the GGUF file, whose own digest is computed while it is written, so they cannot be
had in the same pass. The second pass then reads from the system's cache.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import cpu_count
from pathlib import Path

import numpy as np
import numpy.typing as npt

from premrunner.weights.errors import ValuesNotFinite
from premrunner.weights.hashing import BackgroundSha256
from premrunner.weights.rows import OpenFiles
from premrunner.weights.safetensors import DTYPE_BYTES, StoredTensor
from premrunner.weights.values import NUMPY_DTYPES, count_not_finite

CHUNK_BYTES = 4 * 1024 * 1024

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
    with BackgroundSha256() as digest:
        place = 0
        for tensor in [*sorted(tensors, key=lambda tensor: tensor.offset_bytes), None]:
            # What lies between tensors (the header) is only hashed.
            until = tensor.offset_bytes if tensor else size_bytes
            for begin in range(place, until, CHUNK_BYTES):
                digest.update(_read(files, path, begin, min(CHUNK_BYTES, until - begin), advance))
            if tensor is None:
                break
            place = tensor.offset_bytes + tensor.size_bytes
            step = CHUNK_BYTES // DTYPE_BYTES[tensor.dtype] * DTYPE_BYTES[tensor.dtype]
            for begin in range(tensor.offset_bytes, place, step):
                chunk = _read(files, path, begin, min(step, place - begin), advance)
                digest.update(chunk)
                if tensor.dtype in NUMPY_DTYPES:
                    count = count_not_finite(chunk.view(NUMPY_DTYPES[tensor.dtype]), tensor.dtype)
                    if count:
                        bad[tensor.name] = bad.get(tensor.name, 0) + count
        return SourceFile(role, path.name, size_bytes, digest.hexdigest()), bad


def _read(files: OpenFiles, path: Path, offset: int, size_bytes: int, advance: Advance) -> npt.NDArray[np.uint8]:
    chunk = np.empty(size_bytes, np.uint8)
    files.read_into(path, offset, chunk.data)
    advance(size_bytes)
    return chunk
