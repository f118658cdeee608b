"""Real processes that stand in for Ollama, on ports of this machine that nobody uses."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from premrunner.engine.address import EngineAddress
from premrunner.engine.supervision.launch import EngineFolders
from premrunner.owned_engine import engine_folders
from premrunner.storage.paths import DataPaths

from .waiting import wait_until

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture
def free_address() -> EngineAddress:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return EngineAddress("127.0.0.1", listener.getsockname()[1])


@pytest.fixture
def folders(tmp_path: Path) -> EngineFolders:
    folders = engine_folders(DataPaths(tmp_path / "data"))
    folders.run.mkdir(parents=True)
    return folders


@pytest.fixture
def fake_ollama(tmp_path: Path) -> Path:
    """An executable named ollama that behaves as STAND_IN says."""
    path = tmp_path / "installed" / "ollama"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{STAND_IN}" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Inherited by stand-ins; set STAND_IN in it."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**inherited, "HOME": str(tmp_path), "STAND_IN_CHILD_FILE": str(tmp_path / "children")}


@pytest.fixture
def children(tmp_path: Path) -> Callable[[], list[int]]:
    """The numbers of the processes that stand-ins started."""

    def read() -> list[int]:
        with suppress(FileNotFoundError):
            return [int(line) for line in (tmp_path / "children").read_text().split()]
        return []

    return read


@pytest.fixture
def run_stand_in(
    environment: dict[str, str],
) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start a stand-in that belongs to nobody: what a user runs beside PremRunner."""
    started = []

    def run(address: EngineAddress, words: str = "") -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(STAND_IN)],
            env={**environment, "STAND_IN": words, "OLLAMA_HOST": address.authority},
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(process)
        wait_until(lambda: _accepts(address))
        return process

    yield run
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _accepts(address: EngineAddress) -> bool:
    with suppress(OSError):
        socket.create_connection((address.host, address.port), 1).close()
        return True
    return False


@pytest.fixture(autouse=True)
def _no_ollama_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see only what they put somewhere; a developer's own Ollama stays out."""
    assert shutil.which("sh")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
