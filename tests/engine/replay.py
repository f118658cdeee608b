"""An HTTP server that answers as a real Ollama did when it was recorded."""

import json
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from premrunner.net.http import HttpPool
from tests.engine_of_tests import serving

_DATA = json.loads((Path(__file__).parent / "recordings.json").read_text())
RECORDINGS = {entry["name"]: entry for entry in next(value for value in _DATA.values() if isinstance(value, list))}


@contextmanager
def replay(*names: str):
    """Serve recorded answers in their order; yields a pool of connections and the list of requests that came."""
    answers = [RECORDINGS[name]["response"] for name in names]
    seen: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append((self.command, self.path, body))
            answer = answers[len(seen) - 1]
            data = body_of(answer)
            self.send_response(answer["status"])
            self.send_header("Content-Type", answer["headers"].get("Content-Type", "text/plain"))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815  # The names that http.server looks for.

        def log_message(self, *args) -> None:
            """Say nothing."""

    with serving(Handler) as port, closing(HttpPool("127.0.0.1", port)) as pool:
        yield pool, seen


def body_of(answer: dict) -> bytes:
    body = answer.get("body", answer.get("lines", ""))
    if isinstance(body, list):
        return b"".join(
            (line if isinstance(line, str) else json.dumps(line)).encode().rstrip(b"\n") + b"\n" for line in body
        )
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
