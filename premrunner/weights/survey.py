"""Look at every source before the first byte is written: its SHA-256, and whether all weights are finite.

The digests belong at the front of the GGUF file, whose own digest is computed while it is written, so they cannot be
had in the same pass. Each thread reads for itself, behind the other from the system's cache: neither waits.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

import numpy as np

from premrunner.weights.errors import ValuesNotFinite
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.safetensors import StoredTensor
from premrunner.weights.source_digests import SourceDigests
from premrunner.weights.values import NUMPY_DTYPES, count_not_finite

# Small enough that what was read is still in the processor's cache when it is looked at; a multiple of every value's
# size.
CHUNK_BYTES = 1024 * 1024


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
    role: str,
    paths: Sequence[Path],
    tensors: Iterable[StoredTensor],
    digests: SourceDigests,
    refuse_cancelled: Callable[[], None] = lambda: None,
) -> list[SourceFile]:
    """Look at every value in some files, and wait for their digests.

    Args:
        role: What the files are to the conversion.
        paths: Of the files, in the order of the result.
        tensors: Those that lie in them.
        digests: That follow the files.
        refuse_cancelled: Asked often, from several threads; may raise to stop.

    Raises:
        ValuesNotFinite: Some weights are NaN or infinite.
        WeightsInvalid: A file was written to meanwhile.
    """
    by_file: dict[Path, list[StoredTensor]] = {}
    for tensor in tensors:
        by_file.setdefault(tensor.path, []).append(tensor)
    counts: dict[str, int] = {}
    # As many threads hash meanwhile.
    with ThreadPoolExecutor(max_workers=max(1, (cpu_count() or 1) // 2), thread_name_prefix="survey") as pool:
        looks = {path: pool.submit(_look, held, digests.files, refuse_cancelled) for path, held in by_file.items()}
    for path, look in looks.items():
        counts |= look.result()
        if counts:
            raise ValuesNotFinite(counts, file_name=path.name)
    return [SourceFile(role, path.name, digests.files.size_bytes(path), digests.of(path)) for path in paths]


def _look(tensors: Sequence[StoredTensor], files: OpenFiles, refuse_cancelled: Callable[[], None]) -> dict[str, int]:
    """Count what is NaN or infinite in each tensor of one file that has any."""
    bad: dict[str, int] = {}
    # Used again and again: memory that is asked for anew must be cleared by the system each time.
    buffer = np.empty(CHUNK_BYTES, np.uint8)
    for tensor in sorted(tensors, key=lambda tensor: tensor.offset_bytes):
        if tensor.dtype not in NUMPY_DTYPES:
            continue
        end = tensor.offset_bytes + tensor.size_bytes
        for begin in range(tensor.offset_bytes, end, CHUNK_BYTES):
            refuse_cancelled()
            chunk = buffer[: end - begin]
            files.read_into(tensor.path, begin, chunk.data)
            count = count_not_finite(chunk.view(NUMPY_DTYPES[tensor.dtype]), tensor.dtype)
            if count:
                bad[tensor.name] = bad.get(tensor.name, 0) + count
    return bad
