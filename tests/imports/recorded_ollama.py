"""An Ollama as it was recorded: its answers are those of ``tests/engine/recordings.json``, for whatever it is given.

It keeps the digests of blobs and the names of models, so that an import can be followed from the first HEAD to the
last word of the proof. Bytes of blobs are kept where a folder is given, else only counted.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from engine.replay import RECORDINGS, body_of

from premrunner.net.departure import has_left
from tests.engine_of_tests import serving

READ_BYTES = 1024 * 1024
HOLD_SECONDS = 8


@dataclass
class RecordedOllama:
    """The engine's side.

    Attributes:
        port: Where it listens.
        folder: Where blobs are kept; None keeps their digests only.
        blobs: Digests with their sizes.
        models: What each was created with, by its name with the tag.
        loaded: Names of models in memory.
        asked: Method and path of each call, in order.
        refuses: Status and body for the calls of a path that shall fail.
        held: Paths whose calls get no answer while they are here.
        says: What it answers to a chat; the recorded sentence if empty.
    """

    folder: Path | None = None
    port: int = 0
    blobs: dict[str, int] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    chats: list[dict[str, Any]] = field(default_factory=list)
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    says: str = ""

    def has(self, digest: str) -> bool:
        """Whether it has a blob, as a file of its folder too: Ollama only looks whether one of that name is there."""
        on_disk = self.folder is not None and (self.folder / f"sha256-{digest}").exists()
        return on_disk or digest in self.blobs


@contextmanager
def recorded_ollama(folder: Path | None = None) -> Iterator[RecordedOllama]:
    """Serve it on a free port."""
    ollama = RecordedOllama(folder)
    with serving(lambda *arguments: _Handler(ollama, *arguments)) as port:
        ollama.port = port
        try:
            yield ollama
        finally:
            ollama.held.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, ollama: RecordedOllama, *arguments: Any) -> None:
        self._ollama = ollama
        super().__init__(*arguments)

    def _answer(self) -> None:
        kind = "/".join(self.path.split("/")[:3])
        self._ollama.asked.append(f"{self.command} {kind}")
        length = int(self.headers.get("Content-Length") or 0)
        text = b"" if kind == "/api/blobs" else self.rfile.read(length)
        self._hold(kind)
        if has_left(self.connection):
            self.close_connection = True  # A create whose reader has gone is never finished (contract, 1.8).
        elif kind in self._ollama.refuses and self.command != "HEAD":
            if kind == "/api/blobs":
                self._take(length)
            status, said = self._ollama.refuses[kind]
            self._send(status, said.encode())
        elif kind == "/api/blobs":
            self._blob(self.path.removeprefix("/api/blobs/sha256:"))
        else:
            self._send(*_ROUTES[kind](self._ollama, json.loads(text or b"{}")))

    do_GET = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815  # The names that http.server looks for.

    def _hold(self, kind: str) -> None:
        deadline = time.monotonic() + HOLD_SECONDS
        while kind in self._ollama.held and time.monotonic() < deadline:
            time.sleep(0.01)

    def _blob(self, digest: str) -> None:
        if self.command == "HEAD":
            self._send(200 if self._ollama.has(digest) else 404, b"")
            return
        found = self._take(int(self.headers["Content-Length"]))
        if found is None:
            return  # Ollama removes what was cut off.
        if found != digest:
            text = f'digest mismatch, expected "sha256:{digest}", got "sha256:{found}"'
            self._send(400, json.dumps({"error": text}).encode())
            return
        self._ollama.blobs[digest] = int(self.headers["Content-Length"])
        self._send(201, b"")

    def _take(self, size: int) -> str | None:
        """Take a body, and return its digest; None when the client left before its end."""
        digest, pieces = hashlib.sha256(), []
        while size:
            self._hold("/api/blobs")
            piece = self.rfile.read(min(size, READ_BYTES))
            if not piece:
                return None
            digest.update(piece)
            size -= len(piece)
            if self._ollama.folder is not None:
                pieces.append(piece)
        if pieces:
            (self._ollama.folder / f"sha256-{digest.hexdigest()}").write_bytes(b"".join(pieces))
        return digest.hexdigest()

    def _send(self, status: int, data: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
        except OSError:
            self.close_connection = True  # The client has left.

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def _tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _tags(ollama: RecordedOllama, _: Mapping[str, Any]) -> tuple[int, bytes]:
    like = json.loads(body_of(RECORDINGS["tags"]["response"]))["models"][0]
    return 200, json.dumps({"models": [{**like, "name": name, "model": name} for name in ollama.models]}).encode()


def _ps(ollama: RecordedOllama, _: Mapping[str, Any]) -> tuple[int, bytes]:
    like = json.loads(body_of(RECORDINGS["ps loaded"]["response"]))["models"][0]
    return 200, json.dumps({"models": [{**like, "name": name, "model": name} for name in ollama.loaded]}).encode()


def _create(ollama: RecordedOllama, body: Mapping[str, Any]) -> tuple[int, bytes]:
    digests = [digest.removeprefix("sha256:") for digest in body.get("files", {}).values()]
    if any(not ollama.has(digest) for digest in digests):
        return 200, body_of(RECORDINGS["create missing blob"]["response"])
    ollama.models[_tagged(body["model"])] = dict(body)
    return 200, body_of(RECORDINGS["create gguf with system, template, parameters"]["response"])


def _delete(ollama: RecordedOllama, body: Mapping[str, Any]) -> tuple[int, bytes]:
    if ollama.models.pop(_tagged(body["model"]), None) is None:
        return 404, body_of(RECORDINGS["delete unknown"]["response"])
    return 200, b""


def _copy(ollama: RecordedOllama, body: Mapping[str, Any]) -> tuple[int, bytes]:
    if (source := ollama.models.get(_tagged(body["source"]))) is None:
        return 404, body_of(RECORDINGS["copy unknown"]["response"])
    ollama.models[_tagged(body["destination"])] = source
    return 200, b""


def _generate(ollama: RecordedOllama, body: Mapping[str, Any]) -> tuple[int, bytes]:
    name = _tagged(body["model"])
    if body.get("keep_alive") == 0:
        ollama.loaded.discard(name)
        return 200, body_of(RECORDINGS["unload"]["response"])
    ollama.loaded.add(name)
    return 200, body_of(RECORDINGS["load"]["response"])


def _chat(ollama: RecordedOllama, body: Mapping[str, Any]) -> tuple[int, bytes]:
    if (name := _tagged(body["model"])) not in ollama.models:
        return 404, body_of(RECORDINGS["chat unknown model"]["response"])
    ollama.loaded.add(name)
    ollama.chats.append(dict(body))
    recorded = [json.loads(line) for line in body_of(RECORDINGS["chat streamed"]["response"]).splitlines()]
    if not ollama.says:
        lines = recorded
    else:
        said = {**recorded[0], "message": {"role": "assistant", "content": ollama.says}}
        lines = [said, recorded[-1]]
    return 200, b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _embed(_: RecordedOllama, body: Mapping[str, Any]) -> tuple[int, bytes]:
    return 200, json.dumps({"model": body["model"], "embeddings": [[0.6, 0.8]], "prompt_eval_count": 7}).encode()


def _version(_: RecordedOllama, __: Mapping[str, Any]) -> tuple[int, bytes]:
    return 200, body_of(RECORDINGS["version"]["response"])


_ROUTES = {
    "/api/version": _version,
    "/api/tags": _tags,
    "/api/ps": _ps,
    "/api/create": _create,
    "/api/delete": _delete,
    "/api/copy": _copy,
    "/api/generate": _generate,
    "/api/chat": _chat,
    "/api/embed": _embed,
}
