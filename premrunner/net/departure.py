"""Notice that a client has closed its connection while nothing is being sent to it.

A generator that writes finds out at its second failing write; one that waits for a silent engine never does. So one
thread a process looks at the sockets of all open requests, ten times a second, without reading from them.
"""

import _socket  # The C class: its calls never wait, also where gevent has replaced ``socket``.
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# A client that leaves shall free its engine slot within 0.2 s; looking costs about 2 µs a socket.
LOOK_EVERY_SECONDS = 0.1


def has_left(connection: socket.socket) -> bool:
    """Tell whether the other side has closed, without waiting and without taking any byte.

    Args:
        connection: A connected TCP socket, also a gevent or a TLS one; not touched.
    """
    try:
        # Named, the kernel need not be asked for them.
        probe = _socket.socket(connection.family, connection.type, connection.proto, connection.fileno())
    except (OSError, ValueError):  # Closed on our side already.
        return True
    try:
        return probe.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:  # Reset.
        return True
    finally:
        probe.detach()


class DepartureWatch:
    """Calls back, once, when a watched client has left."""

    def __init__(self) -> None:
        self._watched: dict[int, tuple[socket.socket, Callable[[], None]]] = {}
        self._next_key = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, connection: socket.socket | None, on_departure: Callable[[], None]) -> Iterator[None]:
        """Watch a connection while the block runs.

        Args:
            connection: The client's socket; None (a server that does not show it) watches nothing.
            on_departure: Called from the watching thread; must not block or raise.
        """
        if connection is None:
            yield
            return
        key = self._add(connection, on_departure)
        try:
            yield
        finally:
            self._watched.pop(key, None)

    def _add(self, connection: socket.socket, on_departure: Callable[[], None]) -> int:
        with self._lock:
            key = self._next_key
            self._next_key += 1
            self._watched[key] = (connection, on_departure)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="departures", daemon=True)
                self._thread.start()
        return key

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            with self._lock:
                if not self._watched:  # Ends when idle; the next request starts another.
                    self._thread = None
                    return
                watched = list(self._watched.items())
            for key, (connection, on_departure) in watched:
                if has_left(connection) and key in self._watched:
                    self._watched.pop(key, None)
                    on_departure()
