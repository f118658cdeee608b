"""SHA-256 in a thread of its own, so that reading, converting and hashing share the time instead of adding up."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle

# Python's lock is let go while so much is read or hashed: enough that waiting for it again costs little beside an
# import that holds it, and little enough to stay in the processor's cache in between.
CHUNK_BYTES = 2 * 1024 * 1024
# Chunks that wait for their turn: enough to keep both sides busy; more would only hold memory.
_MAX_WAITING = 4

# Fills memory from an offset in a file.
ReadInto = Callable[[int, memoryview], None]


class BackgroundSha256:
    """A running SHA-256 that hashes what was read while its caller reads on."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        # Created once: hashlib lets go of Python's lock for large buffers.
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sha256")
        self._waiting: deque[Future[None]] = deque()
        # Used in turns: memory that is asked for anew must be cleared by the system each time.
        self._buffers = cycle([memoryview(bytearray(CHUNK_BYTES)) for _ in range(_MAX_WAITING + 1)])

    def __enter__(self) -> "BackgroundSha256":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def update(self, read_into: ReadInto, begin: int, end: int) -> Iterator[int]:
        """Add a stretch of a file, and yield the size of each chunk once it has been read.

        Args:
            read_into: Reads the file.
            begin: Offset of the first byte.
            end: Offset behind the last.
        """
        for place in range(begin, end, CHUNK_BYTES):
            chunk = next(self._buffers)[: end - place]
            read_into(place, chunk)
            while len(self._waiting) >= _MAX_WAITING:
                self._waiting.popleft().result()
            self._waiting.append(self._pool.submit(self._hash.update, chunk))
            yield len(chunk)

    def hexdigest(self) -> str:
        """Wait for what was added and give the digest in hexadecimal."""
        while self._waiting:
            self._waiting.popleft().result()
        return self._hash.hexdigest()
