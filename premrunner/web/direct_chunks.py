"""Send the pieces of a streamed body to the client's socket, past gunicorn's and gevent's Python.

For a piece of a hundred bytes the way through werkzeug, gunicorn and gevent's ``sendall`` costs as much as everything
else that an event needs (``docs/performance.md``). Only for plain HTTP/1.1 on gunicorn's gevent worker.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gevent.monkey import is_module_patched
from gevent.socket import socket as gevent_socket


def plain_socket(environ: Mapping[str, Any]) -> gevent_socket | None:
    """Return the client's socket where bytes can be moved through it as they are: no TLS, no test's stand-in."""
    connection = environ.get("gunicorn.socket")
    return connection if is_module_patched("socket") and type(connection) is gevent_socket else None


def sent_directly(environ: Mapping[str, Any], pieces: Iterator[bytes]) -> Iterable[bytes]:
    """Return the rest of a body for gunicorn, which sends its headers and first piece; mostly nothing.

    Args:
        environ: Of the request.
        pieces: Sent while gunicorn asks for more; what comes from them and from the socket is raised then.
    """
    connection = plain_socket(environ)
    is_chunked = environ.get("SERVER_PROTOCOL") == "HTTP/1.1" and environ["REQUEST_METHOD"] != "HEAD"
    if connection is None or not is_chunked:
        return pieces
    _cork(connection, is_shut=True)
    return _send(connection, pieces)


def _send(connection: gevent_socket, pieces: Iterator[bytes]) -> Iterator[bytes]:
    _cork(connection, is_shut=False)
    for piece in pieces:
        chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
        sent = connection.send(chunk)
        if sent < len(chunk):
            connection.sendall(chunk[sent:])
    yield from ()


def _cork(connection: gevent_socket, *, is_shut: bool) -> None:
    """Let the headers wait for the first piece, so that both wake the client once."""
    if hasattr(socket, "TCP_CORK"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, is_shut)
