"""A client of uploads that costs little: keep-alive connections, bodies by sendfile."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bench.servers import TOKEN, Server

MIB = 1024 * 1024
CHUNK_BYTES = 50 * MIB


class Sender:
    """One keep-alive connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._socket = socket.create_connection(("127.0.0.1", server.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def ask(self, method: str, path: str, length: int = 0, content_type: str = "application/octet-stream") -> None:
        """Send a request's head."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        )
        self._socket.sendall(head.encode())

    def send(self, data: bytes) -> None:
        """Send a piece of the body."""
        self._socket.sendall(data)

    def send_file(self, source: int, offset: int, length: int) -> None:
        """Send a piece of the body out of a file."""
        while length:
            sent = os.sendfile(self._socket.fileno(), source, offset, min(length, 4 * MIB))
            offset, length = offset + sent, length - sent

    def answer(self) -> None:
        """Read the answer, which must be a good one."""
        status, length = int(self._answers.readline().split()[1]), 0
        while (line := self._answers.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = self._answers.read(length)
        if status >= 300:
            raise RuntimeError(f"{self._server.name} answered {status}: {body[:300]!r}")

    def close(self) -> None:
        """Close the connection."""
        self._answers.close()
        self._socket.close()


def call(server: Server, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Ask for JSON."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.request(method, f"http://127.0.0.1:{server.port}{path}", json=body, headers=headers, timeout=300)
    answer.raise_for_status()
    return dict(answer.json())


def start(server: Server, size: int, chunk: int = CHUNK_BYTES) -> str:
    """Begin an upload and return its id."""
    body = {"fileName": "bench.gguf", "fileSize": size, "modelName": "bench", "chunkSize": chunk}
    return str(call(server, "POST", "/v1/chunked-upload/start", body)["modelId"])


@dataclass
class Sent:
    """An upload whose bytes have all been answered."""

    server: Server
    upload: str

    def complete(self) -> None:
        """End it, which waits for its hash; nginx has none."""
        if self.upload:
            call(self.server, "POST", "/v1/chunked-upload/complete", {"modelId": self.upload, "modelName": "bench"})

    def clean(self) -> None:
        """Delete it."""
        if self.upload:
            call(self.server, "DELETE", f"/v1/chunked-upload/{self.upload}")
            return
        files = self.server.folder / "files"
        shutil.rmtree(files)
        files.mkdir()
        files.chmod(0o777)


def send_raw(server: Server, source: int, size: int, pace: float = 0.0, connections: int = 1) -> Sent:
    """Send all chunks as raw bodies.

    Args:
        server: PremRunner or nginx.
        source: Descriptor of the file.
        size: Its bytes.
        pace: Bytes a second; 0 for as fast as possible.
        connections: How many at once.
    """
    upload, begun = "" if server.name == "nginx" else start(server, size), time.monotonic()

    def send(first: int) -> None:
        sender = Sender(server)
        for index in range(first, -(-size // CHUNK_BYTES), connections):
            offset = index * CHUNK_BYTES
            if pace:
                time.sleep(max(begun + offset / pace - time.monotonic(), 0))
            length = min(CHUNK_BYTES, size - offset)
            sender.ask("PUT", f"/v1/chunked-upload/{upload}/chunks/{index}" if upload else f"/{index}", length)
            sender.send_file(source, offset, length)
            sender.answer()
        sender.close()

    at_once([lambda first=first: send(first) for first in range(connections)])  # type: ignore[misc]
    return Sent(server, upload)


def send_forms(server: Server, source: int, size: int, *, file_first: bool) -> Sent:
    """Send all chunks in the original's form."""
    sender, upload = Sender(server), start(server, size)
    fields = {"modelId": upload, "totalChunks": str(-(-size // CHUNK_BYTES))}
    for index, offset in enumerate(range(0, size, CHUNK_BYTES)):
        texts = "".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in {**fields, "chunkIndex": str(index)}.items()
        ).encode()
        file = b'--b\r\nContent-Disposition: form-data; name="chunk"; filename="blob"\r\n\r\n'
        before, after = (file, b"\r\n" + texts + b"--b--\r\n") if file_first else (texts + file, b"\r\n--b--\r\n")
        length = min(CHUNK_BYTES, size - offset)
        total = len(before) + length + len(after)
        sender.ask("POST", "/v1/chunked-upload/chunk", total, "multipart/form-data; boundary=b")
        sender.send(before)
        sender.send_file(source, offset, length)
        sender.send(after)
        sender.answer()
    sender.close()
    return Sent(server, upload)


def at_once(calls: list[Callable[[], None]]) -> None:
    """Run calls side by side."""
    threads = [threading.Thread(target=call) for call in calls[1:]]
    for thread in threads:
        thread.start()
    calls[0]()
    for thread in threads:
        thread.join()


def source_file(folder: Path, size: int) -> Path:
    """Make a file that does not compress."""
    path = folder / "source"
    block = os.urandom(MIB)
    with path.open("wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "little") + block[8:])
    return path
