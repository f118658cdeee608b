"""Stands in for Ollama as a process: listens where OLLAMA_HOST says and misbehaves as STAND_IN tells it.

Words in STAND_IN, separated by spaces:

- ``refuse``: exit 1 with a message of Go's kind;
- ``silent``: listen, never answer;
- ``stubborn``: ignore SIGTERM;
- ``child``: start a process that outlives it, and write its number to $STAND_IN_CHILD_FILE;
- ``escape``: give that process a session of its own;
- ``builtin``: name itself as the built-in engine does;
- ``chatty``: write a megabyte first.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

WORDS = os.environ.get("STAND_IN", "").split()


class Handler(BaseHTTPRequestHandler):
    versions = 0

    def do_GET(self):
        if self.path == "/die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.path == "/freeze":
            time.sleep(3600)
        if self.path == "/api/version":
            answer = {"version": "0.99.0"}
            if "builtin" in WORDS:
                answer["engine"] = "premrunner-builtin"
            body = json.dumps(answer).encode()
        elif self.path == "/environment":
            body = json.dumps(dict(os.environ)).encode()
        else:
            body = b"Ollama is running"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def place():
    if "--port" in sys.argv:
        return sys.argv[sys.argv.index("--host") + 1], int(sys.argv[sys.argv.index("--port") + 1])
    host, _, port = os.environ["OLLAMA_HOST"].rpartition(":")
    return host, int(port)


def main():
    host, port = place()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in WORDS else lambda *_: os._exit(0))
    sys.stderr.write(f"level=INFO listening, models in {os.environ.get('HOME')}/.ollama/models\n")
    if "chatty" in WORDS:
        sys.stderr.write("a line of forty bytes, again and again.\n" * 26_000)
    if "refuse" in WORDS:
        sys.exit("Error: open /srv/secret/place/id_ed25519: permission denied")
    if "child" in WORDS:
        # -I keeps it quick; it inherits our output, as llama-server does.
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-I", "-S", "-c", code], start_new_session="escape" in WORDS)
        with Path(os.environ["STAND_IN_CHILD_FILE"]).open("a") as file:
            file.write(f"{child.pid}\n")
    if "silent" in WORDS:
        listener = socket.create_server((host, port))
        while True:
            time.sleep(1)
            listener.getsockname()
    HTTPServer((host, port), Handler).serve_forever()


main()
