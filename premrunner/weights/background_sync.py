"""Bring a file to the disk while it is still being written, so that the sync at its end has little left to do."""

import os
from concurrent.futures import Future, ThreadPoolExecutor

# Enough for a disk to work at its full speed; a disk that cannot keep up is only asked again once it has.
_STEP_BYTES = 64 * 1024 * 1024


class BackgroundSync:
    """Syncs a file from a thread of its own whenever it has grown enough.

    Args:
        descriptor: The open file; its owner closes it, after this.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sync")
        self._running: Future[None] | None = None
        self._written = 0

    def __enter__(self) -> "BackgroundSync":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def advance(self, size_bytes: int) -> None:
        """Count what was written.

        Raises:
            OSError: The disk did not take what was written before.
        """
        self._written += size_bytes
        if self._written >= _STEP_BYTES and (self._running is None or self._running.done()):
            self._settle()
            self._written = 0
            self._running = self._pool.submit(os.fsync, self._descriptor)

    def finish(self) -> None:
        """Return when the whole file is on the disk.

        Raises:
            OSError: The disk did not take it. The system tells each failure once, so earlier syncs count too.
        """
        self._settle()
        os.fsync(self._descriptor)

    def _settle(self) -> None:
        if self._running:
            self._running.result()
