"""An engine that says what a test hands it, at the moment that the test hands it over."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.engine_of_tests import serving

CONTEXT_LENGTH = 2048
END = {"done": True, "done_reason": "stop", "prompt_eval_count": 30, "eval_count": 4, "eval_duration": 40_000_000}


def model(name: str, *capabilities: str) -> dict:
    details = {"context_length": CONTEXT_LENGTH, "parameter_size": "1B", "quantization_level": "Q8_0"}
    tagged = f"{name}:latest"
    return {
        "name": tagged,
        "model": tagged,
        "size": 1,
        "details": details,
        "capabilities": ["completion", *capabilities],
    }


@dataclass
class Pace:
    """What the engine is to say, and what it was asked.

    Attributes:
        lines: Of the answer that is being given; None closes the connection without an end.
        title: What it answers when it is asked for a title; None keeps it silent then.
        chats: Body of each chat so far, titles not among them.
        left: Set when a client has gone in mid-answer.
    """

    lines: "queue.Queue[dict | None]" = field(default_factory=queue.Queue)
    title: str | None = "Capital of France"
    chats: list[dict] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)

    def say(self, content: str = "", **fields: str) -> None:
        self.lines.put({"message": {"content": content, **fields}, "done": False})

    def finish(self, **fields: object) -> None:
        self.lines.put({"message": {}, **END, **fields})


@contextmanager
def paced_engine() -> Iterator[tuple[int, Pace]]:
    """Serve an engine; yields its port and its pace."""
    pace = Pace()
    models = [model("m"), model("other"), model("seeing", "vision", "thinking")]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            listed = [{**each, "context_length": CONTEXT_LENGTH} for each in models]
            body = json.dumps({"version": "0.33.0", "models": listed}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if body["messages"][-1]["content"].startswith("Write a title"):
                self._title()
            else:
                pace.chats.append(body)
                self._answer()

        def _title(self) -> None:
            if pace.title is None:
                self.connection.recv(1)
                return
            self._send({"message": {"content": pace.title}, "done": False})
            self._send({"message": {}, **END})
            self.wfile.write(b"0\r\n\r\n")

        def _answer(self) -> None:
            while True:
                try:
                    line = pace.lines.get(timeout=0.05)
                except queue.Empty:
                    if self._client_has_left():
                        return
                    continue
                if line is None:
                    self.close_connection = True
                    return
                self._send(line)
                if line["done"]:
                    self.wfile.write(b"0\r\n\r\n")
                    return

        def _client_has_left(self) -> bool:
            self.connection.settimeout(0.001)
            try:
                has_left = self.connection.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                has_left = True
            finally:
                self.connection.settimeout(None)
            pace.left.set()
            self.close_connection = True
            return has_left

        def _send(self, line: dict) -> None:
            data = json.dumps(line).encode() + b"\n"
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        def log_message(self, *args) -> None:
            """Say nothing."""

    with serving(Handler) as port:
        yield port, pace
