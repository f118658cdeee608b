"""Notice that a client has closed its connection while nothing is being sent to it.

A generator that writes finds out at its second failing write; one that waits for a silent engine never does. So one
thread a process looks at the sockets of all open requests, ten times a second, without reading from them.
"""

import _socket  # The C class: its calls never wait, also where gevent has replaced ``socket``.
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from gevent.monkey import get_original

# A client that leaves shall free its engine slot within 0.2 s.
LOOK_EVERY_SECONDS = 0.1
# The real one, which never waits here.
native_poll = get_original("select", "poll")
# What Linux says of a connection whose other side sends no more; elsewhere each must be read from.
HANG_UP = getattr(select, "POLLRDHUP", None)
PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)


def has_left(connection: socket.socket) -> bool:
    """Tell whether the other side has closed, without waiting and without taking any byte.

    Args:
        connection: A connected TCP socket, also a gevent or a TLS one; not touched.
    """
    return bool(departed([connection]))


def departed(connections: Iterable[socket.socket]) -> list[socket.socket]:
    """Return those that the other side has closed, by asking the kernel once for all of them."""
    if HANG_UP is None:
        return [connection for connection in connections if _is_at_end(connection)]
    poll, by_number, gone = native_poll(), {}, []
    for connection in connections:
        number = connection.fileno()
        if number < 0:  # Closed on our side already.
            gone.append(connection)
        else:
            poll.register(number, HANG_UP)
            by_number[number] = connection
    return gone + [by_number[number] for number, _ in poll.poll(0)]


def _is_at_end(connection: socket.socket) -> bool:
    try:
        # Named, the kernel need not be asked for them.
        probe = _socket.socket(connection.family, connection.type, connection.proto, connection.fileno())
    except (OSError, ValueError):  # Closed on our side already.
        return True
    try:
        return probe.recv(1, PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:  # Reset.
        return True
    finally:
        probe.detach()


class DepartureWatch:
    """Calls back, once, when a watched client has left."""

    def __init__(self) -> None:
        self._watched: dict[socket.socket, Callable[[], None]] = {}
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
        self._add(connection, on_departure)
        try:
            yield
        finally:
            self._watched.pop(connection, None)

    def _add(self, connection: socket.socket, on_departure: Callable[[], None]) -> None:
        with self._lock:
            self._watched[connection] = on_departure
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="departures", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            with self._lock:
                if not self._watched:  # Ends when idle; the next request starts another.
                    self._thread = None
                    return
                watched = list(self._watched)
            for connection in departed(watched):
                on_departure = self._watched.pop(connection, None)
                if on_departure:
                    on_departure()
