"""One owner for the engine: a lock that the kernel releases when its holder dies, however it dies."""

import fcntl
import os
import time
from pathlib import Path
from typing import TextIO

from premrunner.errors import EngineOwned, StorageFailed

_LOCK_NAME = "engine.lock"

# Readers hold the lock for some microseconds to see whether it is free; an owner that meets one of them tries again.
_CLAIM_SECONDS = 0.5
_CLAIM_PAUSE_SECONDS = 0.02


class Ownership:
    """The right to run the engine of one data folder, held until released or until the process ends."""

    def __init__(self, lock_file: TextIO) -> None:
        self._lock_file = lock_file

    def release(self) -> None:
        """Let another process have it; harmless when repeated."""
        self._lock_file.close()


def claim(run_folder: Path) -> Ownership:
    """Become the engine's owner.

    Raises:
        EngineOwned: Another process is.
        StorageFailed: The folder cannot be written.
    """
    try:
        run_folder.mkdir(parents=True, exist_ok=True)
        lock_file = (run_folder / _LOCK_NAME).open("a+", encoding="ascii", errors="replace")
    except OSError as error:
        raise StorageFailed(f"The data folder cannot be written: {error.strerror}.") from error
    if not _lock_within(_CLAIM_SECONDS, lock_file):
        lock_file.seek(0)
        owner = lock_file.read(32).strip()
        lock_file.close()
        raise EngineOwned(int(owner) if owner.isdecimal() else None)
    lock_file.truncate(0)
    lock_file.write(f"{os.getpid()}\n")
    lock_file.flush()
    return Ownership(lock_file)


def is_owned(run_folder: Path) -> bool:
    """Tell whether a living process owns the engine of this data folder."""
    try:
        with (run_folder / _LOCK_NAME).open("rb") as lock_file:
            fcntl.flock(lock_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # Held; or a file system without locks, where the published state has to be believed.
        return True
    return False


def _lock_within(seconds: float, lock_file: TextIO) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_CLAIM_PAUSE_SECONDS)
        else:
            return True
