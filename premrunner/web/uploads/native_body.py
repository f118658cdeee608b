"""Move a request's body from the socket to the disk on a native thread, past gunicorn's and gevent's Python.

A worker that reads gigabytes itself stops all its streams for tens of milliseconds again and again, and needs four
times the CPU (``docs/uploads.md``). Here the greenlet only waits: a native thread moves bytes while they are there, and
gives its place back when they are not, so that slow clients hold no thread. Only for plain HTTP/1.1 with
``Content-Length`` on gunicorn's gevent worker; ``request_body.py`` chooses.

On Linux the bytes go from the socket through a pipe to the file without ever being in our memory, unless the sink must
see them to hash them.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from select import POLLIN
from socket import SO_RCVLOWAT, SOL_SOCKET
from typing import Any

from gevent.monkey import get_original
from gevent.socket import wait_read
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.unreader import SocketUnreader
from werkzeug.exceptions import ClientDisconnected

from premrunner.errors import Cancelled, UploadStalled
from premrunner.net.native_threads import NativeThreads
from premrunner.net.pipes import PIPE_BYTES, Sink, can_splice, open_pipe
from premrunner.web.direct_chunks import plain_socket

native_poll = get_original("select", "poll")

# Moved at once, and waited for: a thread that woke up for each packet would need three times the CPU.
PIECE_BYTES = PIPE_BYTES
# So long a thread waits for a piece of a fast client; then it takes what is there, or lets go.
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
    body, connection = environ.get("wsgi.input"), plain_socket(environ)
    return (
        connection is not None
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
        self._leave_bytes = 0
        self.length_bytes: int | None = self._reader.length

    @property
    def rest_bytes(self) -> int:
        """How many have not been read."""
        return int(self._reader.length)

    def read(self, size_bytes: int) -> bytes:
        """Return the next bytes, fewer only at the end; for the few that stand before a file.

        Raises:
            UploadStalled: Nothing came for a while.
            Cancelled: The client left.
        """
        with patience(self._connection, self._stall_seconds):
            return self._body.read(size_bytes)  # type: ignore[no-any-return]

    def pour(self, sink: Sink, threads: NativeThreads, leave_bytes: int = 0) -> None:
        """Give the body to a sink, which is called on native threads.

        What the sink does not take is left to gunicorn, which reads it away before the connection's next request.

        Args:
            sink: Gets the bytes in order.
            threads: Where it is called.
            leave_bytes: So many at the end are left to be read.

        Raises:
            Cancelled: The client left.
            UploadStalled: It sends too slowly to ever end.
        """
        self._leave_bytes = leave_bytes
        self._pour_buffered(sink, threads)
        seen, since = self._reader.length, time.monotonic()
        while self._left_bytes > 0:
            threads.run(self._take_turn, sink)
            if self._reader.length <= seen - LEAST_BYTES:
                seen, since = self._reader.length, time.monotonic()
            if self._left_bytes > 0:
                self._wait(since + self._stall_seconds - time.monotonic())

    @property
    def _left_bytes(self) -> int:
        return int(self._reader.length) - self._leave_bytes

    def _pour_buffered(self, sink: Sink, threads: NativeThreads) -> None:
        """Take what gunicorn read together with the headers; what is not for the sink stays there."""
        held = self._reader.unreader.take_buffered()
        ours = held[: max(self._left_bytes, 0)]
        if len(held) > len(ours):
            self._reader.unreader.unread(held[len(ours) :])
        self._reader.length -= len(ours)
        if ours:
            threads.run(sink.write, memoryview(ours))

    def _take_turn(self, sink: Sink) -> None:
        """Move bytes while there are some; on a native thread."""
        if can_splice() and (write_from := sink.write_from):
            with open_pipe() as (outlet, inlet):
                self._move(lambda most: os.splice(self._socket, inlet, most), lambda count: write_from(outlet, count))
            return
        buffer = _buffers.pop() if _buffers else bytearray(PIECE_BYTES)
        view = memoryview(buffer)
        try:
            self._move(lambda most: os.readv(self._socket, [view[:most]]), lambda count: sink.write(view[:count]))
        finally:
            _buffers.append(buffer)

    def _move(self, fetch: Callable[[int], int], hand_on: Callable[[int], None]) -> None:
        ends_at = time.monotonic() + TURN_SECONDS
        while self._left_bytes > 0 and time.monotonic() < ends_at:
            most = min(PIECE_BYTES, self._left_bytes)
            self._linger(most)
            try:
                count = fetch(most)
            except BlockingIOError:
                return
            except OSError:  # Reset.
                count = 0
            if not count:
                self._body.failed = True  # The connection cannot be used again.
                raise Cancelled(CUT)
            self._reader.length -= count
            hand_on(count)

    def _linger(self, count: int) -> None:
        """Wait for so many bytes, but not long."""
        poll = native_poll()
        poll.register(self._socket, POLLIN)
        self._connection.setsockopt(SOL_SOCKET, SO_RCVLOWAT, count)
        try:
            poll.poll(LINGER_MS)
        finally:
            self._connection.setsockopt(SOL_SOCKET, SO_RCVLOWAT, 1)

    def _wait(self, timeout_seconds: float) -> None:
        """Wait for the next bytes, on the hub."""
        try:
            wait_read(self._socket, max(timeout_seconds, 0.0), TimeoutError())
        except TimeoutError as error:
            self._body.failed = True
            raise UploadStalled(STALLED) from error
