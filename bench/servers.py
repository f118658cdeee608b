"""Servers under test: PremRunner and its peers, started on free ports, with the CPU and the memory that they take."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

TOKEN = "a-token-for-benches"
ROOT = Path(__file__).parent.parent
# Peers live in environments of their own, so that theirs and our dependencies do not meet.
ENVIRONMENTS = ROOT / ".cache" / "bench"
# LiteLLM needs half a minute on an idle machine.
START_SECONDS = 120
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A server under test.

    Attributes:
        folder: Where its files are.
    """

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def workers(self) -> list[int]:
        """Return the processes that do the work."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children] or [self.process.pid]

    def cpu_seconds(self) -> float:
        """Return the CPU time they have used."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in self.workers]
        return sum(int(values[11]) + int(values[12]) for values in fields) / TICKS

    def rss_bytes(self, name: str = "VmRSS") -> int:
        """Return the memory of the one that has most."""
        found = []
        for pid in self.workers:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found += [int(line.split()[1]) * 1024 for line in lines if line.startswith(name)]
        return max(found)

    def reset_peak(self) -> None:
        """Let the peak of their memory begin anew."""
        for pid in self.workers:
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    name: str, command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a server while the block runs, from the moment it listens."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=os.environ | dict(environment or {}), cwd=ROOT, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not listen: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield Server(name, port, process, folder)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def premrunner(folder: Path, name: str = "PremRunner", **environment: str) -> Iterator[Server]:
    """Run the site on a fresh data folder, with one web worker and no engine of its own."""
    data, port = folder / name.replace(" ", "-"), free_port()
    names = {
        "DATA_PATH": str(data),
        "PORT": str(port),
        "AUTH_TOKEN": TOKEN,
        "PREMRUNNER_SUPERVISOR_PID": str(os.getpid()),
        "PREMRUNNER_STARTER": "none",
        "LOG_LEVEL": "warning",
        "WEB_WORKERS": "1",
    } | environment
    upgrade = [sys.executable, "-m", "premrunner", "database", "upgrade"]
    subprocess.run(upgrade, env=os.environ | names, check=True, cwd=ROOT, capture_output=True)
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "bench.site:app()"]
    with running(name, command, port, data, names) as server:
        requests.get(f"http://127.0.0.1:{port}/health", timeout=30)
        yield server


def peer_python(name: str, *packages: str) -> Path:
    """Return the Python of an environment that has these packages, made when it is not there."""
    folder = ENVIRONMENTS / name
    python, stamp = folder / "bin" / "python", folder / "installed"
    if not stamp.exists() or stamp.read_text() != " ".join(packages):
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-compile", *packages], check=True)
        stamp.write_text(" ".join(packages))
    return python
