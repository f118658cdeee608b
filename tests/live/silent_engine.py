"""An engine that takes a chat and never says a word: prints a line when its client has gone."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = {"name": "m:latest", "model": "m:latest", "size": 1, "digest": "x", "details": {}}
ANSWERS = {"/": b"Ollama is running", "/api/version": {"version": "0.33.0"}, "/api/tags": {"models": [MODEL]}}


class Handler(BaseHTTPRequestHandler):
    """Answers what identifies an engine, and is silent about everything else."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        answer = ANSWERS.get(self.path, {"models": []})
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        sys.stdout.write("asked\n")
        sys.stdout.flush()
        self.connection.recv(1)
        sys.stdout.write("left\n")
        sys.stdout.flush()
        self.close_connection = True

    def log_message(self, *args):
        """Say nothing."""


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
