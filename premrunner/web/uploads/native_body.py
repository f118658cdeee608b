"""Move a request's body from the socket to the disk on a native thread, past gunicorn's and gevent's Python.

A worker that reads gigabytes itself stops all its streams for tens of milliseconds again and again, and needs twice the
CPU (``docs/performance.md``). Here the greenlet only waits: a native thread reads while bytes are there, and gives its
place back when they are not, so that slow clients hold no thread. Only for plain HTTP/1.1 with ``Content-Length`` on
gunicorn's gevent worker; ``request_body.py`` chooses.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from select import POLLIN
from typing import Any

from gevent.monkey import get_original, is_module_patched
from gevent.socket import socket as gevent_socket
from gevent.socket import wait_read
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.unreader import SocketUnreader
from werkzeug.exceptions import ClientDisconnected

from premrunner.errors import Cancelled, UploadStalled
from premrunner.net.native_threads import NativeThreads

native_poll = get_original("select", "poll")

READ_BYTES = 1024 * 1024
# A piece this large is worth a write; smaller ones wait for more, as long as more comes at once.
WRITE_BYTES = 256 * 1024
# So long a thread waits for the next bytes of a fast client, which costs less than changing threads.
LINGER_MS = 20
# So long one body keeps a thread while others may wait for it.
TURN_SECONDS = 0.5
# Less in STALL_SECONDS is no client that will ever end: 128 bytes a second would take 4 days for 50 MB.
LEAST_BYTES = 4096
STALL_SECONDS = 30.0

CUT = "The body ended before its end. What was cut does not count; send it again."
STALLED = "No bytes came for a while. What was cut does not count; send it again."

# Buffers of turns that have ended. A thread uses one at a time, so there are no more than threads.
_buffers: list[bytearray] = []


def takes_native(environ: dict[str, Any]) -> bool:
    """Tell whether a request's body can be read from its socket directly."""
    body, connection = environ.get("wsgi.input"), environ.get("gunicorn.socket")
    return (
        is_module_patched("socket")
        and type(connection) is gevent_socket  # No TLS, no test's stand-in.
        and isinstance(body, Body)
        and isinstance(body.reader, LengthReader)
        and isinstance(body.reader.unreader, SocketUnreader)
        and body.reader.unreader.sock is connection
        and body.buf.tell() == 0
    )


@contextmanager
def patience(connection: Any, stall_seconds: float) -> Iterator[None]:
    """Limit the silence of a client while the block reads from it.

    Args:
        connection: Its socket; None where the server does not show it.
        stall_seconds: Longest silence.

    Raises:
        UploadStalled: It was longer.
        Cancelled: The client left.
    """
    if connection is not None:
        connection.settimeout(stall_seconds)
    try:
        yield
    except TimeoutError as error:
        raise UploadStalled(STALLED) from error
    except (OSError, NoMoreData, ParseException, ClientDisconnected) as error:
        raise Cancelled(CUT) from error
    finally:
        if connection is not None:
            connection.settimeout(None)


class NativeBody:
    """The rest of a request's body, which nobody has begun to read past what gunicorn holds.

    Args:
        environ: One that `takes_native`.
        stall_seconds: Longest time for the least bytes.
    """

    def __init__(self, environ: dict[str, Any], stall_seconds: float = STALL_SECONDS) -> None:
        self._body: Body = environ["wsgi.input"]
        self._reader: LengthReader = self._body.reader
        self._connection = environ["gunicorn.socket"]
        self._socket: int = self._connection.fileno()
        self._stall_seconds = stall_seconds
        self.length_bytes: int | None = self._reader.length

    def read(self, size_bytes: int) -> bytes:
        """Return the next bytes, fewer only at the end; for the few that stand before a file.

        Raises:
            UploadStalled: Nothing came for a while.
            Cancelled: The client left.
        """
        with patience(self._connection, self._stall_seconds):
            return self._body.read(size_bytes)  # type: ignore[no-any-return]

    def pour(self, sink: Callable[[memoryview], None], threads: NativeThreads) -> None:
        """Give the rest of the body to a sink, which is called on native threads.

        What the sink does not take is left to gunicorn, which reads it away before the connection's next request.

        Raises:
            Cancelled: The client left.
            UploadStalled: It sends too slowly to ever end.
        """
        self._pour_buffered(sink, threads)
        seen, since = self._reader.length, time.monotonic()
        while self._reader.length:
            threads.run(self._take_turn, sink)
            if self._reader.length <= seen - LEAST_BYTES:
                seen, since = self._reader.length, time.monotonic()
            if self._reader.length:
                self._wait(since + self._stall_seconds - time.monotonic())

    def _pour_buffered(self, sink: Callable[[memoryview], None], threads: NativeThreads) -> None:
        """Take what gunicorn read together with the headers; what follows the body stays there."""
        held = self._reader.unreader.take_buffered()
        ours = held[: self._reader.length]
        if len(held) > len(ours):
            self._reader.unreader.unread(held[len(ours) :])
        self._reader.length -= len(ours)
        if ours:
            threads.run(sink, memoryview(ours))

    def _take_turn(self, sink: Callable[[memoryview], None]) -> None:
        """Move bytes while there are some; on a native thread."""
        buffer = _buffers.pop() if _buffers else bytearray(READ_BYTES)
        try:
            self._move(memoryview(buffer), sink)
        finally:
            _buffers.append(buffer)

    def _move(self, view: memoryview, sink: Callable[[memoryview], None]) -> None:
        ends_at = time.monotonic() + TURN_SECONDS
        filled = 0
        is_open = is_there = True
        while self._reader.length and is_open and is_there and time.monotonic() < ends_at:
            try:
                count = os.readv(self._socket, [view[filled : filled + self._reader.length]])
            except BlockingIOError:
                is_there = self._comes_soon()
                continue
            except OSError:  # Reset.
                count = 0
            is_open = count > 0
            filled += count
            self._reader.length -= count
            if filled >= WRITE_BYTES:
                sink(view[:filled])
                filled = 0
        if filled:
            sink(view[:filled])
        if not is_open:
            self._body.failed = True  # The connection cannot be used again.
            raise Cancelled(CUT)

    def _comes_soon(self) -> bool:
        poll = native_poll()
        poll.register(self._socket, POLLIN)
        return bool(poll.poll(LINGER_MS))

    def _wait(self, timeout_seconds: float) -> None:
        """Wait for the next bytes, on the hub."""
        try:
            wait_read(self._socket, max(timeout_seconds, 0.0), TimeoutError())
        except TimeoutError as error:
            self._body.failed = True
            raise UploadStalled(STALLED) from error
