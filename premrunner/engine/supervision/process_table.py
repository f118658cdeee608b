"""Who a process is: when it began and whether it carries our mark. A number alone may belong to another by now."""

import os
import subprocess
import sys
from pathlib import Path

# Each process that we start gets this variable with a random value, and hands it on to what it starts itself.
MARK_VARIABLE = "PREMRUNNER_ENGINE_MARK"

_PROC = Path("/proc")
_PS_TIMEOUT_SECONDS = 5.0
# Fields of /proc/<pid>/stat, counted from the one after the name in parentheses, which is field 3 of proc(5).
_STATE_INDEX = 3 - 3
_START_INDEX = 22 - 3


def start_time(pid: int) -> str | None:
    """Return when a process began, in a form that two processes of one number never share.

    Returns:
        None when no such process lives; one that has ended and waits to be collected does not.
    """
    return _start_time_linux(pid) if sys.platform == "linux" else _start_time_ps(pid)


def marked_processes(mark: str) -> list[int]:
    """Return the living processes of this user that carry a mark, wherever they moved since."""
    return _marked_linux(mark) if sys.platform == "linux" else _marked_ps(mark)


def _start_time_linux(pid: int) -> str | None:
    try:
        # The name may hold spaces and parentheses itself.
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        if fields[_STATE_INDEX] in b"ZXx":
            return None
        # Ticks since boot: only together with the boot do they name a moment.
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{fields[_START_INDEX].decode('ascii')}"
    except (OSError, IndexError):
        return None


def _marked_linux(mark: str) -> list[int]:
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    found = []
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:  # Ended meanwhile, or another user's.
            continue
        if wanted in environment.split(b"\0"):
            found.append(int(folder.name))
    return found


def _start_time_ps(pid: int) -> str | None:
    state, _, started = _ps("-o", "stat=", "-o", "lstart=", "-p", str(pid)).strip().partition(" ")
    return started.strip() if state and not state.startswith("Z") else None


def _marked_ps(mark: str) -> list[int]:
    # -E shows the environment behind the command, for one's own processes.
    wanted = f"{MARK_VARIABLE}={mark}"
    lines = [line.split() for line in _ps("-x", "-E", "-ww", "-o", "pid=", "-o", "command=").splitlines()]
    return [int(words[0]) for words in lines if wanted in words[1:] and int(words[0]) != os.getpid()]


def _ps(*arguments: str) -> str:
    try:
        finished = subprocess.run(
            ["/bin/ps", *arguments],
            capture_output=True,
            timeout=_PS_TIMEOUT_SECONDS,
            check=False,
            env={"LC_ALL": "C", "TZ": "UTC"},  # Else a start reads differently in another locale or in summer.
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout.decode("utf-8", "replace")
