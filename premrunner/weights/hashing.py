"""SHA-256 in a thread of its own, so that reading, converting and hashing share the time instead of adding up."""

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

# Enough to keep both sides busy; more would only hold memory.
_MAX_WAITING = 4
# A buffer is done with once so many others were handed over after it.
BUFFERS = _MAX_WAITING + 1


class BackgroundSha256:
    """A running SHA-256 that does not make its caller wait for each update.

    Buffers that are handed over must not change until ``hexdigest``, or until ``BUFFERS - 1`` others were.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        # Created once: hashlib lets go of Python's lock for large buffers.
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sha256")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> "BackgroundSha256":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def update(self, buffer: Any) -> None:
        """Add a contiguous buffer, waiting only while too many are unfinished."""
        while len(self._waiting) >= _MAX_WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._hash.update, buffer))

    def hexdigest(self) -> str:
        """Wait for what was added and give the digest in hexadecimal."""
        while self._waiting:
            self._waiting.popleft().result()
        return self._hash.hexdigest()
