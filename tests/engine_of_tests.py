"""What stands in for an engine in tests: a handler that is served, and the application that finds it running."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from flask import Flask

from premrunner.engine.ownership import claim
from premrunner.engine.state import EngineState, EngineStatus, write_state
from premrunner.storage.paths import DataPaths


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[int]:
    """Answer with a handler while the block runs; yields the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def found_running(app: Flask, port: int, *, version: str = "0.33.0", pid: int | None = None) -> Iterator[None]:
    """Have the application find an engine on a port while the block runs."""
    run_folder = DataPaths(Path(app.config["DATA_PATH"])).run
    ownership = claim(run_folder)
    write_state(
        run_folder,
        EngineState(EngineStatus.RUNNING, "ollama", version, "127.0.0.1", port, pid=pid, owner_pid=os.getpid()),
    )
    try:
        yield
    finally:
        app.extensions["premrunner"].chat.engine._find_pool().close()
        ownership.release()
