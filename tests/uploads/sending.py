"""Send uploads in tests: over the wire as clients do, and as they should not."""

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import requests

MIB = 1024 * 1024


def noise(size: int) -> bytes:
    return os.urandom(size)


def form_body(fields: dict[str, object], file_field: str, data: bytes, *, file_at: int, name: str = "blob") -> bytes:
    """Return a form whose file is the part number `file_at`; its boundary is `edge`."""
    parts = [
        b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (key.encode(), str(value).encode())
        for key, value in fields.items()
    ]
    file = f'Content-Disposition: form-data; name="{file_field}"; filename="{name}"\r\nContent-Type: a/b\r\n\r\n'
    parts.insert(file_at, file.encode() + data)
    return b"".join(b"--edge\r\n" + part + b"\r\n" for part in parts) + b"--edge--\r\n"


@dataclass
class Site:
    """A running web server."""

    url: str
    token: str
    data_path: Path
    process: "subprocess.Popen[bytes]"

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def request(self, method: str, path: str, **kwargs) -> requests.Response:
        headers = self.headers | kwargs.pop("headers", {})
        return requests.request(method, self.url + path, headers=headers, timeout=60, **kwargs)

    def start(self, size: int, **fields) -> str:
        wish = {"fileName": "model.gguf", "fileSize": size, "modelName": "Model"} | fields
        answer = self.request("POST", "/v1/chunked-upload/start", json=wish)
        assert answer.status_code == 200, answer.text
        return answer.json()["modelId"]

    def put(self, upload: str, index: object, data, **headers) -> requests.Response:
        return self.request("PUT", f"/v1/chunked-upload/{upload}/chunks/{index}", data=data, headers=headers)

    def complete(self, upload: str, **fields) -> requests.Response:
        return self.request("POST", "/v1/chunked-upload/complete", json={"modelId": upload, **fields})

    def status(self, upload: str) -> dict:
        return self.request("GET", f"/v1/chunked-upload/{upload}").json()

    def stored(self, upload: str, index: int = 0) -> Path:
        return self.data_path / "uploads" / upload / str(index)

    def open_put(self, upload: str, index: int, length: int) -> socket.socket:
        """Begin a PUT by hand: the headers are sent, the body is the test's."""
        return self.open(f"PUT /v1/chunked-upload/{upload}/chunks/{index} HTTP/1.1", f"Content-Length: {length}")

    def open(self, line: str, *headers: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        lines = [line, "Host: test", f"Authorization: Bearer {self.token}", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        return connection


def answer_of(connection: socket.socket) -> bytes:
    """Return what the server says until it closes or has answered once."""
    data = b""
    while b"\r\n\r\n" not in data and (piece := connection.recv(65536)):
        data += piece
    return data


def status_of(connection: socket.socket) -> int:
    return int(answer_of(connection).split()[1])
