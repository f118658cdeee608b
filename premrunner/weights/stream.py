"""The one pass: read some rows, rearrange, merge, quantize, hand over; several threads ahead of the writer."""

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType

from premrunner.weights.quantize import encode
from premrunner.weights.tensor_plan import PlannedTensor

# Values read at a time: 2 MB as float32, so that a piece stays in the processor's cache through its steps.
PIECE_VALUES = 512 * 1024
# More threads would only wait for the disk or for the hash, and each holds some pieces in memory.
MAX_THREADS = 8
# For each thread, finished or not: so many that nobody waits for a piece that takes longer than the others.
PIECES_AHEAD = 4

Piece = npt.NDArray[np.generic]


def stream_values(
    tensors: Sequence[PlannedTensor], kinds: Mapping[str, GGMLQuantizationType], threads: int | None = None
) -> Iterator[Iterator[Piece]]:
    """Give each tensor's bytes in pieces, in order; the pieces of one must be taken before the next tensor.

    Args:
        tensors: In the order of the file.
        kinds: What to store each as.
        threads: How many work ahead; by default as many as there are processors.

    Raises:
        WeightsInvalid: A value does not fit its type, or a file became shorter.
    """
    count = threads or min(MAX_THREADS, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="weights", initializer=_step_back)
    jobs = ((tensor, first, rows) for tensor in tensors for first, rows in _ranges(tensor))
    ahead: deque[Future[Piece]] = deque()

    def top_up() -> None:
        while len(ahead) < PIECES_AHEAD * count and (job := next(jobs, None)):
            ahead.append(pool.submit(_make, kinds, *job))

    def pieces(tensor: PlannedTensor) -> Iterator[Piece]:
        for _ in _ranges(tensor):
            top_up()
            yield ahead.popleft().result()

    try:
        for tensor in tensors:
            yield pieces(tensor)
    finally:
        pool.shutdown(cancel_futures=True)


def _step_back() -> None:
    """Let the threads that hash go first: there are two digests to wait for, one after the other."""
    if sys.platform == "linux":  # Elsewhere the whole process would step back.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _ranges(tensor: PlannedTensor) -> Iterator[tuple[int, int]]:
    """Cut a tensor into ranges of whole rows."""
    step = max(1, PIECE_VALUES // max(1, tensor.rows.column_count))
    for first in range(0, tensor.rows.row_count, step):
        yield first, min(step, tensor.rows.row_count - first)


def _make(kinds: Mapping[str, GGMLQuantizationType], tensor: PlannedTensor, first: int, count: int) -> Any:
    values = tensor.rows.read(first, count)
    return encode(values, tensor.rows.dtype, kinds[tensor.name], tensor.name)
