"""The server under test: one ``premrunner serve`` and whatever it starts."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import requests

TOKEN = "a-token-for-the-soak"
START_SECONDS = 120
# Room for two imports of the starter model at one time, and no more.
DISK_BYTES = 1_500_000_000
# Of the web workers and of their parent.
WEB = "gunicorn"
ZEROS = bytes(1024 * 1024)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class SmallDisk:
    """A file system of its own for the data, where the machine lets us mount one; else faults of the disk are left out.

    Args:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
        self.is_mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0

    def fill(self) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while True:  # Others write meanwhile, so nobody knows how much there is.
                ballast.write(ZEROS)

    def free(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)

    def unmount(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


class Clock:
    """The wall clock of the server, where a compiler is installed; else it stands still.

    Args:
        folder: Takes the offset, which each process reads once a second, and the library that adds it.
    """

    def __init__(self, folder: Path) -> None:
        self._file, self._library = folder / "clock", folder / "clock.so"
        compiler = shutil.which("cc")
        source = Path(__file__).parent / "clock.c"
        build = [compiler, "-shared", "-fPIC", "-o", self._library, source, "-ldl"]
        self.is_movable = compiler is not None and subprocess.run(build, check=False).returncode == 0
        self.jump(0)

    def jump(self, seconds: int) -> None:
        self._file.write_text(f"{seconds}\n")

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "SOAK_CLOCK": str(self._file)} if self.is_movable else {}


class Site:
    """A running server.

    Args:
        data_path: Its data folder.
        clock: Its clock.
        log: What it says.
    """

    def __init__(self, data_path: Path, clock: Clock, log: Path) -> None:
        self.port = free_port()
        self.data_path = data_path
        self.url = f"http://127.0.0.1:{self.port}"
        own = {
            "DATA_PATH": str(data_path),
            "PORT": str(self.port),
            "AUTH_TOKEN": TOKEN,
            "PREMRUNNER_ENGINE": "builtin",
            "PREMRUNNER_STARTER": "none",
            "WEB_WORKERS": "2",
            "MODEL_CONCURRENCY": "2",
            "MODEL_QUEUE": "4",
        }
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "premrunner", "serve"],
                env=os.environ | own | clock.environment,
                stdout=output,
                stderr=output,
                cwd=log.parent,
            )

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if (
                    requests.get(self.url + "/api/ollama/status", headers=self.headers, timeout=5).json()["status"]
                    == "running"
                ):
                    return
            except (requests.RequestException, ValueError, KeyError):
                pass
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit("The server did not start.")
            time.sleep(0.2)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    def family(self) -> dict[int, str]:
        """Return the server's processes with their commands, whoever their parent is now."""
        mark = f"DATA_PATH={self.data_path}\0".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if mark in (entry / "environ").read_bytes() and (entry / "stat").read_text().split(") ")[1][0] != "Z":
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found

    def kill(self, *parts: str) -> None:
        """Kill those whose command holds one of some parts; of several web workers one, and never who starts them."""
        family = self.family()
        for part in parts:
            found = [pid for pid, command in family.items() if part in command and pid != self.process.pid]
            if part == WEB:
                found = [pid for pid in found if WEB in family.get(_parent(pid), "")]
            if found:
                with suppress(ProcessLookupError):
                    os.kill(random.choice(found), signal.SIGKILL)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0
