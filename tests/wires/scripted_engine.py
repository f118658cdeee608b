"""An engine that says what a test has written for it, in Ollama's words."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.engine_of_tests import serving

MODELS = [{"name": f"{name}:latest", "model": f"{name}:latest", "size": 1, "details": {}} for name in ("m", "other")]
END = {"done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2}


@dataclass
class Script:
    """What the engine will answer to the next call, and what it was asked.

    Attributes:
        lines: Lines of its answer.
        status: Status of its answer.
        asked: Path and body of each call so far.
    """

    lines: Sequence[dict] = ()
    status: int = 200
    asked: list[tuple[str, dict]] = field(default_factory=list)

    def says(self, *messages: dict, end: dict = END) -> None:
        """Answer with these parts of a message, each in a line, and then the end."""
        self.lines = [{"message": message, "done": False} for message in messages] + [{"message": {}, **end}]


@contextmanager
def scripted_engine() -> Iterator[tuple[int, Script]]:
    """Serve a script; yields the port and the script."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(200, json.dumps({"models": MODELS}).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            script.asked.append((self.path, body))
            self._send(script.status, b"".join(json.dumps(line).encode() + b"\n" for line in script.lines))

        def do_DELETE(self) -> None:
            self.do_POST()

        def _send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args) -> None:
            """Say nothing."""

    with serving(Handler) as port:
        yield port, script
