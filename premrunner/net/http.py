"""A small HTTP/1.1 client for one server nearby, whose exchanges another thread can cut at any moment.

``requests`` gives no hold on a socket before the headers have arrived, and an engine that loads a model or reads a long
prompt sends none for minutes. Here the socket is at hand from the start, so a client that leaves stops the engine at
once. Keep-alive connections save about a millisecond a call (``docs/performance.md``).
"""

import http.client
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Protocol

from gevent import get_hub
from gevent.monkey import is_module_patched

from premrunner.net.chunked import ChunkedDecoder
from premrunner.net.departure import has_left

# Each open stream waits with a buffer of this size; the lines of an answer are a fraction of it.
READ_BYTES = 8 * 1024
# What gevent calls a socket that has something to read.
READABLE = 1


class Readable(Protocol):
    """A body that is sent as it is read: an open file or a part of one."""

    def read(self, size: int = ..., /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""


class Cancellation:
    """A switch that ends one exchange from another thread, in whatever state it is."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._socket: socket.socket | None = None

    def cancel(self) -> None:
        """End the exchange now; harmless before it has begun and after it has ended."""
        self.is_cancelled = True
        connection = self._socket
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def attach(self, connection: socket.socket | None) -> None:
        """Name the socket that the exchange uses from now on; None when it has ended."""
        self._socket = connection
        if self.is_cancelled and connection is not None:
            self.cancel()


class HttpReply:
    """An answer whose body is read as it arrives; close it, or use it in a ``with`` block."""

    def __init__(
        self,
        pool: "HttpPool",
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        cancellation: Cancellation,
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._response = response
        self._cancellation = cancellation
        self._chunked = ChunkedDecoder() if response.chunked else None
        self._receive: Callable[[int], bytes] = self._receive_first
        self._is_open = True
        self.status = response.status
        self.headers = response.headers

    def read(self) -> bytes:
        """Return the rest of the body and close."""
        try:
            return self._response.read()
        finally:
            self.close()

    def read_some(self) -> bytes:
        """Return the body's next bytes as soon as there are any, never waiting to fill a block; none at the end."""
        if self._chunked is None:
            return self._response.read1(READ_BYTES)
        content = b""
        while not (content or self._chunked.is_done):
            data = self._receive(READ_BYTES)
            if not data:
                raise http.client.IncompleteRead(b"")
            content = self._chunked.feed(data)
        return content

    def _receive_first(self, size: int) -> bytes:
        """Take what came with the headers; what follows comes from the socket itself."""
        data = self._response.fp.read1(size)
        if self._connection.sock is not None:
            self._receive = _receiver(self._connection.sock)
        return data

    @property
    def _has_ended(self) -> bool:
        return self._chunked is not None and self._chunked.is_done

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        if not self._is_open:
            return
        self._is_open = False
        self._cancellation.attach(None)
        is_read = self._response.isclosed() or self._response.length == 0 or self._has_ended
        is_reusable = is_read and not self._response.will_close and not self._cancellation.is_cancelled
        self._response.close()
        if is_reusable:
            self._pool.give_back(self._connection)
        else:
            self._connection.close()

    def __enter__(self) -> "HttpReply":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _receiver(connection: socket.socket) -> Callable[[int], bytes]:
    """Return how to receive from a server that says a little now and then: under gevent, wait before and not after.

    gevent's own ``recv`` tries in vain, fails, and waits then.
    """
    if not is_module_patched("socket") or connection.gettimeout() is not None:
        return connection.recv
    hub = get_hub()
    readable = hub.loop.io(connection.fileno(), READABLE)

    def receive(size: int) -> bytes:
        hub.wait(readable)
        return connection.recv(size)

    return receive


class HttpPool:
    """Keep-alive connections to one address.

    Never goes through a proxy. Errors are those of ``http.client`` and ``OSError``; the neighbour that owns the pool
    translates them.

    Args:
        host: Name or address of the server.
        port: Its port.
        connect_timeout_seconds: How long a connection may take.
        idle_most: Connections kept for reuse; more are closed when they become free.
    """

    def __init__(self, host: str, port: int, *, connect_timeout_seconds: float = 3.0, idle_most: int = 512) -> None:
        self.host = host
        self.port = port
        self._connect_timeout_seconds = connect_timeout_seconds
        self._idle: deque[http.client.HTTPConnection] = deque(maxlen=None)
        self._idle_most = idle_most
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Readable | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_seconds: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> HttpReply:
        """Send a request and return as soon as the answer's headers are there.

        Args:
            method: HTTP verb.
            path: Path with query.
            body: Sent as it is; a file needs a ``Content-Length`` among the headers.
            headers: Added to ``Host`` and, for bytes, ``Content-Length``.
            timeout_seconds: Longest silence of the server, also while the body is read; None waits for ever.
            cancellation: Switch by which another thread may end the exchange.

        Raises:
            OSError: No connection, a silence past the timeout, or cut.
            http.client.HTTPException: The answer is not HTTP, or ended early.
        """
        cancellation = cancellation or Cancellation()
        connection = self._take()
        try:
            if connection.sock is None:
                connection.timeout = self._connect_timeout_seconds
                connection.connect()  # Sets TCP_NODELAY.
            connection.sock.settimeout(timeout_seconds)
            cancellation.attach(connection.sock)
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
        except BaseException:
            cancellation.attach(None)
            connection.close()
            raise
        return HttpReply(self, connection, response, cancellation)

    def give_back(self, connection: http.client.HTTPConnection) -> None:
        """Keep a connection, whose last body was read to its end, for another request."""
        with self._lock:
            if len(self._idle) < self._idle_most:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close what is idle; connections in use are closed by their replies."""
        with self._lock:
            idle, self._idle = list(self._idle), deque()
        for connection in idle:
            connection.close()

    def _take(self) -> http.client.HTTPConnection:
        """Return an idle connection that the server has not closed meanwhile, or a new unconnected one."""
        while True:
            with self._lock:
                if not self._idle:
                    return http.client.HTTPConnection(self.host, self.port, blocksize=1024 * 1024)
                connection = self._idle.pop()
            if connection.sock is not None and not has_left(connection.sock):
                return connection
            connection.close()
