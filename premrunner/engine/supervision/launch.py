"""How each kind of engine is started: its command, its environment, its port."""

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from premrunner.engine.address import LOOPBACK_HOST, EngineAddress
from premrunner.engine.supervision.plan import StartBuiltin, StartOllama
from premrunner.engine.supervision.probe import why_unreachable
from premrunner.engine.supervision.process import EngineProcess, start_process
from premrunner.engine.supervision.process_log import ProcessLog

# What opens our own doors is none of the engine's business, and its log may show its environment.
_SECRETS = ("AUTH_TOKEN", "DATABASE_URL", "REDIS_URL", "SECRET_KEY")
_PORT_CHECK_SECONDS = 0.5


@dataclass(frozen=True)
class EngineFolders:
    """Where the engine's files are; all absolute.

    Attributes:
        run: State, lock and record of the process; private to this machine.
        log_file: What the engine's process writes, bounded.
        install: Our own copy of Ollama, if there is one.
        models: Models of our own copy of Ollama; any other Ollama keeps its own.
        store: Models of the built-in engine.
        home: Stands in for HOME where the account has none; Ollama does not start without.
    """

    run: Path
    log_file: Path
    install: Path
    models: Path
    store: Path
    home: Path


class EngineLauncher:
    """Starts engines of both kinds.

    Args:
        folders: Where their files are.
        inherited: Our own environment; None takes the process's.
        command_of_builtin: Makes the built-in engine's command from its address and store; None takes the real one.
        popen: As ``subprocess.Popen``.
    """

    def __init__(
        self,
        folders: EngineFolders,
        *,
        inherited: Mapping[str, str] | None = None,
        command_of_builtin: Callable[[EngineAddress, Path], list[str]] | None = None,
        popen: Callable[..., "subprocess.Popen[bytes]"] = subprocess.Popen,
    ) -> None:
        self.folders = folders
        self._inherited = os.environ if inherited is None else inherited
        self._command_of_builtin = command_of_builtin or builtin_command
        self._popen = popen
        self._log = ProcessLog(folders.log_file)
        self._builtin_address: EngineAddress | None = None

    def start(
        self, plan: StartOllama | StartBuiltin, wanted: EngineAddress, on_exit: Callable[[], None]
    ) -> tuple[EngineProcess, EngineAddress]:
        """Start an engine and return it with the address at which it will answer.

        Raises:
            OSError: It cannot be started.
        """
        if isinstance(plan, StartOllama):
            models = self.folders.models if plan.is_own else None
            return self._run(ollama_command(plan.executable), wanted, models, on_exit), wanted
        # Where it was before, if it can be: whoever is in the middle of something finds it again.
        preferred = wanted if wanted.is_loopback else EngineAddress()
        address = choose_address([self._builtin_address or preferred, preferred])
        self._builtin_address = address
        store = self.folders.store
        return self._run(self._command_of_builtin(address, store), address, None, on_exit), address

    def _run(
        self, command: list[str], address: EngineAddress, models: Path | None, on_exit: Callable[[], None]
    ) -> EngineProcess:
        environment = engine_environment(self._inherited, address, home=self.folders.home, models=models)
        if environment["HOME"] == str(self.folders.home):
            self.folders.home.mkdir(parents=True, exist_ok=True)
        return start_process(
            command, environment, run_folder=self.folders.run, log=self._log, on_exit=on_exit, popen=self._popen
        )


def ollama_command(executable: Path) -> list[str]:
    """Return the command of an Ollama server; everything else it reads from its environment."""
    return [str(executable), "serve"]


def builtin_command(address: EngineAddress, store: Path) -> list[str]:
    """Return the command of the built-in engine."""
    where = ["--host", address.host, "--port", str(address.port), "--store", str(store)]
    return [sys.executable, "-m", "premrunner.builtin", *where]


def engine_environment(
    inherited: Mapping[str, str], address: EngineAddress, *, home: Path, models: Path | None = None
) -> dict[str, str]:
    """Return the environment of an engine's process.

    Args:
        inherited: Our own; what a user set for Ollama is passed on.
        address: Where it shall listen.
        home: Used when neither HOME nor the account has a folder that Ollama could write its key to.
        models: Where Ollama keeps its models, unless the user said so; None leaves it to Ollama.
    """
    environment = {name: value for name, value in inherited.items() if name not in _SECRETS}
    environment["OLLAMA_HOST"] = address.authority
    environment["OLLAMA_NO_CLOUD"] = "1"
    environment["HOME"] = _home_folder(inherited.get("HOME")) or str(home)
    if models is not None and not inherited.get("OLLAMA_MODELS"):
        environment["OLLAMA_MODELS"] = str(models)
    return environment


def choose_address(preferred: Sequence[EngineAddress]) -> EngineAddress:
    """Return the first address whose port is free, else a free port that the kernel names.

    Raises:
        OSError: This machine has no free port.
    """
    for address in preferred:
        if address.is_loopback and _is_free(address):
            return address
    with socket.socket() as listener:
        listener.bind((LOOPBACK_HOST, 0))
        return EngineAddress(LOOPBACK_HOST, listener.getsockname()[1])


def _is_free(address: EngineAddress) -> bool:
    # macOS lets one bind 127.0.0.1 beside a server on all interfaces, so nobody may answer either.
    if why_unreachable(address, _PORT_CHECK_SECONDS) is None:
        return False
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address.host, address.port))
    except OSError:
        return False
    return True


def _home_folder(inherited: str | None) -> str | None:
    folders = [inherited] if inherited else []
    with suppress(KeyError):  # An account without an entry: a container's bare user number.
        folders.append(pwd.getpwuid(os.getuid()).pw_dir)
    # A service's home is often ``/`` or ``/nonexistent``, a container's read-only but for the volume at .ollama.
    return next((folder for folder in folders if _is_writable(folder) or _is_writable(f"{folder}/.ollama")), None)


def _is_writable(folder: str) -> bool:
    return Path(folder).is_dir() and os.access(folder, os.W_OK)
