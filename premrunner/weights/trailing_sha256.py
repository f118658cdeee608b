"""SHA-256 of a file that is still being written: read behind its writer, where the system's cache holds it."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from premrunner.errors import Cancelled
from premrunner.weights import mapped_sha256

# A writer that is further ahead waits: what is hashed shall still be in the system's cache, and the end come soon.
MOST_AHEAD_BYTES = 1024**3


class TrailingSha256:
    """Hashes a file behind its writer, in a thread of its own, while the block runs.

    Args:
        descriptor: The file, open for reading.
        finish_head: Called once something was written, in that thread; writes the beginning of the file in its final
            form, and may wait long for what belongs there.
        give_up: Called when the block fails; lets ``finish_head`` wait no longer.
    """

    def __init__(self, descriptor: int, finish_head: Callable[[], None], give_up: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._finish_head = finish_head
        self._give_up = give_up
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trailing")
        self._sha256 = hashlib.sha256()
        self._changed = threading.Condition()
        self._written = self._hashed = 0
        self._is_whole = self._is_given_up = self._has_ended = False

    def __enter__(self) -> "TrailingSha256":
        self._digest: Future[str] = self._pool.submit(self._run)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._is_given_up = True
            self._tell()
            self._give_up()
        self._pool.shutdown()

    def advance(self, size_bytes: int) -> None:
        """Count what was written at the file's end; raises what has gone wrong in the thread."""
        with self._changed:
            self._written += size_bytes
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._has_ended or self._written - self._hashed <= MOST_AHEAD_BYTES)
        if self._has_ended:
            self._digest.result()

    def hexdigest(self) -> str:
        """Wait for the end of the file, and return the digest in hexadecimal."""
        self._is_whole = True
        self._tell()
        return self._digest.result()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> str:
        try:
            self._end()  # The writer begins with a head of its own, which must not come over the final one.
            self._finish_head()
            while self._hashed < (end := min(self._end(), self._hashed + mapped_sha256.WINDOW_BYTES)):
                if self._is_given_up:
                    raise Cancelled("The file is not wanted any more.")
                mapped_sha256.update(self._sha256, self._descriptor, self._hashed, end)
                self._hashed = end
                self._tell()
            return self._sha256.hexdigest()
        finally:
            self._has_ended = True
            self._tell()

    def _end(self) -> int:
        """Wait until more has been written than was hashed, or nothing more comes, and return how much there is."""
        with self._changed:
            self._changed.wait_for(lambda: self._written > self._hashed or self._is_whole or self._is_given_up)
            return self._written
