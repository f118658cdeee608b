"""Pipes through which the kernel moves bytes between sockets and files, past our memory: Linux's splice."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

PIPE_BYTES = 1024 * 1024

# Takes the bytes that lie in a pipe: its end, and how many.
FromPipe = Callable[[int, int], None]


class Sink(Protocol):
    """Where bytes go; called on native threads."""

    def write(self, data: memoryview) -> None:
        """Take bytes."""

    @property
    def write_from(self) -> FromPipe | None:
        """What takes bytes that lie in a pipe; None for a sink that must see them."""


def can_splice() -> bool:
    """Tell whether this system can."""
    return hasattr(os, "splice")


@contextmanager
def open_pipe() -> Iterator[tuple[int, int]]:
    """Yield the end that bytes come out of and the end that they go into."""
    outlet, inlet = os.pipe()
    try:
        with suppress(OSError):  # An account may have so much of pipes; 64 KiB do as well.
            fcntl.fcntl(inlet, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        yield outlet, inlet
    finally:
        os.close(outlet)
        os.close(inlet)


def empty_pipe(outlet: int, target: int, count: int, offset_bytes: int) -> None:
    """Move so many bytes, which lie in a pipe, to an offset in a file."""
    while count:
        moved = os.splice(outlet, target, count, offset_dst=offset_bytes)
        count, offset_bytes = count - moved, offset_bytes + moved
