"""``premrunner serve``: everything in one foreground process, and nothing of it left when it ends.

It owns the engine (a thread), runs gunicorn and the worker (children), and fetches the starter model (a thread).
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType

import premrunner
from premrunner.app import create_app, prepare_database
from premrunner.config import Settings
from premrunner.engine.state import EngineState
from premrunner.errors import PortTaken
from premrunner.logs import start_logging
from premrunner.owned_engine import engine_supervisor
from premrunner.storage.paths import DataPaths
from premrunner.storage.starter_state import StarterState
from premrunner.web.services import Services
from premrunner.worker_process import WorkerProcess

PACKAGE = Path(__file__).parent
GUNICORN_CONF = next(
    conf for conf in (PACKAGE / "deploy/gunicorn.conf.py", PACKAGE.parent / "deploy/gunicorn.conf.py") if conf.is_file()
)

# Streams end within gunicorn's own five seconds; one that hangs is cut.
WEB_END_SECONDS = 8.0
# It looks whether it shall end several times a second.
STARTER_END_SECONDS = 3.0
ENGINE_NAMES = {"ollama": "Ollama", "builtin": "the built-in engine"}

Say = Callable[[str], None]


class Server:
    """The site, its engine and its first model, from ``run`` to a signal.

    Args:
        settings: What the site shall be like.
        say: Prints a line for the user.
        reload: Whether to load changed code again, for developers.
    """

    def __init__(self, settings: Settings, say: Say, *, reload: bool = False) -> None:
        self._settings = settings
        self._say = say
        self._reload = reload
        self._paths = DataPaths(settings.data_path)
        self._supervisor = engine_supervisor(settings, self._tell_engine)
        self._web: subprocess.Popen[bytes] | None = None
        self._worker: WorkerProcess | None = None
        self._starter: threading.Thread | None = None
        self._is_ending = False
        self._last_said = ""

    def run(self) -> int:
        """Serve until a signal comes or gunicorn ends; return the exit code.

        Raises:
            PremRunnerError: It cannot start; the message says why.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)
        self._paths.prepare()
        require_free_port(self._settings.host, self._settings.port)
        self._say(f"PremRunner {premrunner.__version__}, data in {self._paths.root}")
        start_logging(self._settings.log_level, self._settings.log_format)
        # What it would log of the engine is said to the user in `_tell_engine`.
        logging.getLogger("premrunner.engine").setLevel(logging.ERROR)
        self._supervisor.start()
        try:
            app = create_app(self._settings)
            prepare_database(app)
            services: Services = app.extensions["premrunner"]
            if self._is_ending:
                return 0
            self._web = self._start_web()
            self._worker = WorkerProcess(self._environment(), self._say)
            self._worker.start()
            self._starter = threading.Thread(target=self._fetch_starter, args=(services,), name="starter", daemon=True)
            self._starter.start()
            self._say_where(services.token)
            return self._wait()
        finally:
            self._stop()

    def _start_web(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "gunicorn", "-c", str(GUNICORN_CONF), "premrunner.app:create_app()"]
        if self._reload:
            command.append("--reload")
        # A session of its own: Ctrl-C comes to us alone, and we end the parts in order.
        return subprocess.Popen(command, env=self._environment(), start_new_session=True)

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "DATA_PATH": str(self._paths.root),
            "HOST": self._settings.host,
            "PORT": str(self._settings.port),
            "PREMRUNNER_SUPERVISOR_PID": str(os.getpid()),
        }

    def _say_where(self, token: str) -> None:
        shown = "127.0.0.1" if self._settings.host in ("0.0.0.0", "::") else self._settings.host  # noqa: S104
        url = f"http://[{shown}]" if ":" in shown else f"http://{shown}"
        url = f"{url}:{self._settings.port}"
        self._say(f"\n  Open    {url}\n  Log in  {url}/login?token={token}\n  End     Ctrl-C\n")

    def _tell_engine(self, state: EngineState) -> None:
        name = ENGINE_NAMES.get(state.engine or "", "The engine")
        where = f" at {state.address.url}" if state.address and state.is_running else ""
        version = f" {state.version}" if state.version and state.is_running else ""
        why = f": {state.why}" if state.why else ""
        line = f"Engine: {name}{version} is {state.state.value.replace('_', ' ')}{where}{why}"
        if line != self._last_said and not self._is_ending:
            self._last_said = line
            self._say(line)

    def _fetch_starter(self, services: Services) -> None:
        if self._settings.starter == "none":
            return
        while not self._is_ending:
            state = self._supervisor.wait_until_ready(5.0)
            if state.is_running:
                services.starter.ensure(state.engine, self._starter_teller(), lambda: self._is_ending)
                return

    def _starter_teller(self) -> Callable[[StarterState], None]:
        """Return a reporter that says each stage once, and every tenth percent."""
        said: set[tuple[str, int]] = set()

        def tell(state: StarterState) -> None:
            step = (state.stage, state.percent // 10)
            if step not in said:
                said.add(step)
                percent = f" {state.percent} %" if state.stage == "fetching" else ""
                self._say(f"Starter model: {state.message}{percent}")

        return tell

    def _wait(self) -> int:
        assert self._web is not None  # noqa: S101  # `run` starts it first.
        code = self._web.wait()
        if not self._is_ending:
            self._say("The web server ended by itself; its messages stand above.")
            return code or 1
        return 0

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_ending and self._web is not None:  # A second Ctrl-C: now.
            _signal_group(self._web, signal.SIGKILL)
            return
        self._is_ending = True
        self._say("Ending.")
        if self._web is not None:
            _signal_group(self._web, signal.SIGTERM)
            timer = threading.Timer(WEB_END_SECONDS, _signal_group, (self._web, signal.SIGKILL))
            timer.daemon = True  # It must not keep alive a process whose parts ended in time.
            timer.start()
        if self._worker is not None:
            self._worker.ask_to_end()

    def _stop(self) -> None:
        self._is_ending = True
        if self._web is not None and self._web.poll() is None:
            _signal_group(self._web, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._web.wait(WEB_END_SECONDS)
            _signal_group(self._web, signal.SIGKILL)
        if self._worker is not None:
            self._worker.stop()
        self._supervisor.stop()
        if self._starter is not None:
            self._starter.join(STARTER_END_SECONDS)


def require_free_port(host: str, port: int) -> None:
    """Return if the port can be listened on.

    Raises:
        PortTaken: Another program has it, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"{host}:{port} cannot be used: {error.strerror}. End the other program, or choose another: "
                f"premrunner serve --port {port + 1}"
            ) from error


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
