"""SHA-256 of a file that is still being written: read behind its writer, from the system's cache."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from premrunner.errors import Cancelled
from premrunner.weights.hashing import BackgroundSha256
from premrunner.weights.open_files import is_filled

# A writer that is further ahead waits: what is hashed shall still be in the system's cache, and the end come soon.
MOST_AHEAD_BYTES = 1024**3


class TrailingSha256:
    """Hashes a file behind its writer, in a thread of its own, while the block runs.

    Args:
        descriptor: The file, open for reading.
        finish_head: Called first, in that thread; writes the beginning of the file in its final form, and may wait long
            for what belongs there.
        give_up: Called when the block fails; lets ``finish_head`` wait no longer.
    """

    def __init__(self, descriptor: int, finish_head: Callable[[], None], give_up: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._finish_head = finish_head
        self._give_up = give_up
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trailing")
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
            self._finish_head()
            with BackgroundSha256() as digest:
                while self._hashed < (end := self._end()):
                    for count in digest.update(self._read_into, self._hashed, end):
                        if self._is_given_up:
                            raise Cancelled("The file is not wanted any more.")
                        self._hashed += count
                        self._tell()
                return digest.hexdigest()
        finally:
            self._has_ended = True
            self._tell()

    def _end(self) -> int:
        """Wait until more has been written than was hashed, or nothing more comes, and return how much there is."""
        with self._changed:
            self._changed.wait_for(lambda: self._written > self._hashed or self._is_whole or self._is_given_up)
            return self._written

    def _read_into(self, offset_bytes: int, target: memoryview) -> None:
        if not is_filled(self._descriptor, offset_bytes, target):
            raise OSError("What was written cannot be read again.")
