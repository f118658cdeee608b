"""Read many streams at once and tell how late their events came; a program, so that it takes no time from a server.

Events carry the moment when they were due or sent, as ``@12345.678901`` of the clock that all processes share. They are
found in whatever surrounds them: server-sent events, lines of JSON, chunks of HTTP.
"""

import json
import math
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

STAMP = re.compile(rb"@(\d+\.\d{6})")
# A stamp may be cut in two by the end of a read.
STAMP_BYTES = 24
# So long the slowest stream may take to say its first word.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Wish:
    """What to read.

    Attributes:
        body: Of a POST; None for a GET.
        streams: How many at once.
        spacing_seconds: Between the beginnings of two streams.
        seconds: How long to read, from the moment when all have said something.
    """

    port: int
    path: str
    body: Mapping[str, Any] | None = None
    token: str = ""
    streams: int = 1
    spacing_seconds: float = 0.0
    seconds: float = 60.0


@dataclass
class Seen:
    """What was read.

    Attributes:
        first_seconds: Of each stream, from its request to its first event.
        late_seconds: Of each event since all streams had said something.
        event_count: Events, with those before.
        ended: Streams that came to their end.
    """

    first_seconds: list[float] = field(default_factory=list)
    late_seconds: list[float] = field(default_factory=list)
    event_count: int = 0
    ended: int = 0


def read_streams(wish: Wish) -> Seen:
    """Read streams in a process of its own."""
    command = [sys.executable, "-m", "bench.stream_client", json.dumps(asdict(wish))]
    return Seen(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def _request(wish: Wish) -> bytes:
    data = b"" if wish.body is None else json.dumps(wish.body).encode()
    return (
        f"{'GET' if wish.body is None else 'POST'} {wish.path} HTTP/1.1\r\nHost: 127.0.0.1:{wish.port}\r\n"
        f"Authorization: Bearer {wish.token}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + data


def _read(wish: Wish) -> Seen:
    seen, selector, request = Seen(), selectors.DefaultSelector(), _request(wish)
    begun: dict[socket.socket, float] = {}
    rests: dict[socket.socket, bytes] = {}
    due = time.monotonic()
    end, settled = due + PATIENCE_SECONDS, math.inf
    while time.monotonic() < end and seen.ended < wish.streams:
        while len(begun) < wish.streams and time.monotonic() >= due:
            connection = socket.create_connection(("127.0.0.1", wish.port))
            begun[connection], rests[connection] = time.monotonic(), b""
            connection.sendall(request)
            selector.register(connection, selectors.EVENT_READ)
            due += wish.spacing_seconds
        for key, _ in selector.select(0.002 if len(begun) < wish.streams else 0.1):
            connection = key.fileobj
            data, now = connection.recv(65536), time.monotonic()
            if not data:
                selector.unregister(connection)
                seen.ended += 1
                continue
            text = rests[connection] + data
            stamps = list(STAMP.finditer(text))
            rests[connection] = text[stamps[-1].end() if stamps else 0 :][-STAMP_BYTES:]
            if stamps and connection in begun and begun[connection]:
                seen.first_seconds.append(now - begun[connection])
                begun[connection] = 0.0
                if len(seen.first_seconds) == wish.streams:
                    settled, end = now, now + wish.seconds
            seen.event_count += len(stamps)
            times = [float(stamp[1]) for stamp in stamps]
            seen.late_seconds += [now - sent for sent in times if sent > settled]
    return seen


if __name__ == "__main__":
    print(json.dumps(asdict(_read(Wish(**json.loads(sys.argv[1]))))))
