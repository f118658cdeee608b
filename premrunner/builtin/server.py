"""The life of the engine's process: checks before the start, gunicorn with its one worker, and the way out."""

import ipaddress
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from premrunner.builtin.durations import parse_keep_alive
from premrunner.builtin.library import Library, lock_store
from premrunner.builtin.model_process import ModelSettings
from premrunner.builtin.planning import DEFAULT_CONTEXT_TOKENS, Planner
from premrunner.builtin.runner import Runner
from premrunner.builtin.runners import Runners
from premrunner.errors import PremRunnerError, SettingsInvalid
from premrunner.net.departure import DepartureWatch

# Ollama's defaults.
KEEP_ALIVE_SECONDS = 300.0
MAX_LOADED_MODELS = 3
MAX_QUEUE = 512
# Threads for what is answered at once, beside the requests that wait.
_THREADS_SPARE = 128
# Only the loop that accepts connections must give signs of life, never a request, so no slow model trips this.
_WORKER_SILENCE_SECONDS = 120
# What a stopping worker leaves the answers in progress; then their models are ended, and they with them.
_GRACEFUL_SECONDS = 1
_KEEP_CONNECTION_SECONDS = 75


@dataclass(frozen=True)
class _Settings:
    max_loaded_models: int
    keep_alive_seconds: float
    parallel: int | None
    context_length: int
    threads: int | None
    max_queue: int

    @property
    def request_threads(self) -> int:
        """Requests held at the same time."""
        return self.max_queue + _THREADS_SPARE


def serve(
    host: str,
    port: int,
    store: Path,
    *,
    max_loaded_models: int = MAX_LOADED_MODELS,
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    parallel: int | None = None,
    context_length: int = DEFAULT_CONTEXT_TOKENS,
    threads: int | None = None,
    max_queue: int = MAX_QUEUE,
) -> None:
    """Serve until SIGTERM or SIGINT; leaves the process with 0 then, with 1 when the port or the store is taken.

    Args:
        host: A loopback name or address: the API knows no passwords, so nobody else may reach it.
        port: Port to listen on.
        store: Folder of the models.
        max_loaded_models: Models in memory at the same time.
        keep_alive_seconds: How long a model stays loaded after its last request; negative is for ever.
        parallel: Requests a model answers at the same time; None decides by memory.
        context_length: Tokens of context where nobody says otherwise.
        threads: Computing threads a model; None takes one a core.
        max_queue: Requests that may wait for a model; more are answered 503.

    Raises:
        SystemExit: Always.
    """
    kept_seconds = parse_keep_alive(keep_alive_seconds, KEEP_ALIVE_SECONDS)
    settings = _Settings(max_loaded_models, kept_seconds, parallel, context_length, threads, max_queue)
    try:
        address = _loopback_address(host)
        _check_port_is_free(address, port)
        lock = lock_store(store)
    except PremRunnerError as error:
        sys.stderr.write(f"Error: {error.message}\n")
        sys.exit(1)
    with lock:
        _Engine(address, port, store, settings).run()


def _loopback_address(host: str) -> str:
    address = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        is_loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise SettingsInvalid([f"host {host}: the built-in engine listens on loopback only, such as 127.0.0.1"])
    return address


def _check_port_is_free(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            problem = f"listen tcp {address}:{port}: bind: {(error.strerror or 'refused').lower()}"
            raise SettingsInvalid([problem]) from error


class _Engine(BaseApplication):  # type: ignore[misc]  # gunicorn carries no types.
    """Gunicorn with this engine in it."""

    def __init__(self, address: str, port: int, store: Path, settings: _Settings) -> None:
        self._bind = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self._settings = settings
        self._store = store
        self._runners: Runners | None = None
        super().__init__()

    def load_config(self) -> None:
        for name, value in {
            "bind": self._bind,
            "worker_class": "gthread",
            "workers": 1,
            "threads": self._settings.request_threads,
            "worker_connections": 2 * self._settings.request_threads,
            "timeout": _WORKER_SILENCE_SECONDS,
            "graceful_timeout": _GRACEFUL_SECONDS,
            "keepalive": _KEEP_CONNECTION_SECONDS,
            "control_socket_disable": True,
            "proc_name": "premrunner-engine",
            "loglevel": "warning",
            "worker_exit": self._end_models,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the application; runs in the worker, for threads do not survive a fork."""
        from premrunner.builtin.app import create_app
        from premrunner.builtin.services import Services

        settings = self._settings
        self._runners = Runners(_runner, most=settings.max_loaded_models, waiting_most=settings.max_queue)
        library = Library(self._store)
        planner = Planner(
            library,
            context_tokens=settings.context_length,
            slots=settings.parallel,
            threads=settings.threads,
            requests_most=settings.request_threads,
        )
        built = Services(
            library=library,
            planner=planner,
            runners=self._runners,
            departures=DepartureWatch(),
            keep_alive_seconds=settings.keep_alive_seconds,
        )
        return create_app(built)

    def _end_models(self, _server: object, _worker: object) -> None:
        if self._runners is not None:
            self._runners.close()


def _runner(settings: ModelSettings) -> Runner:
    return Runner(settings, dict(os.environ))
