"""Tell the system's cache which part of a file is read next, and which never again."""

import os
import threading
from collections import Counter

# The system is told of so much at a time: often enough, and seldom enough to cost nothing.
WINDOW_BYTES = 16 * 1024 * 1024
# Hashed, looked at (``survey``), converted: nobody reads it after that.
READINGS = 3


class CacheHints:
    """Follows positional reads of open files, from several threads.

    What comes next is fetched from the disk meanwhile, so that threads that convert need not wait for it: it may have
    left the cache since it was hashed. What was read for the last time leaves the cache, and what is written takes
    those pages: a conversion keeps out of the rest of the machine's memory, and on a virtual machine it does not wait
    for pages that the host must find first.
    """

    def __init__(self) -> None:
        self._read_bytes: Counter[tuple[int, int]] = Counter()
        self._lock = threading.Lock()

    def note(self, descriptor: int, begin: int, end: int) -> None:
        """Count a stretch of a file as read once."""
        if not hasattr(os, "posix_fadvise"):  # macOS
            return
        for window in range(begin // WINDOW_BYTES, -(-end // WINDOW_BYTES)):
            first, last = window * WINDOW_BYTES, (window + 1) * WINDOW_BYTES
            if begin <= first:
                os.posix_fadvise(descriptor, last, WINDOW_BYTES, os.POSIX_FADV_WILLNEED)
            with self._lock:
                self._read_bytes[descriptor, window] += min(end, last) - max(begin, first)
                is_spent = self._read_bytes[descriptor, window] >= READINGS * WINDOW_BYTES
            if is_spent:
                os.posix_fadvise(descriptor, first, WINDOW_BYTES, os.POSIX_FADV_DONTNEED)
