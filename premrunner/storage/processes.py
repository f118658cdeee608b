"""Which processes have rows in hand, and which of those are dead.

Each has a file that it keeps locked; the kernel unlocks it when the process dies. So the death of a process is seen by
all that share the data folder, on this machine or on others, in whatever container, and nobody has to guess.
"""

import fcntl
import os
import secrets
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from premrunner.storage.disk_errors import disk_errors
from premrunner.storage.paths import PRIVATE_FILE
from premrunner.storage.upload_ledger import is_locked

# A file that is not locked yet.
_DRAFT = "."


class Processes:
    """The processes that share a data folder, this one among them.

    Args:
        folder: Where their files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own_name = ""

    @property
    def own_name(self) -> str:
        """What this process signs its rows with; it counts as living from the first call on."""
        self._own_name = self._own_name or self._sign()
        return self._own_name

    def dead(self, names: Iterable[str]) -> Sequence[str]:
        """Return those of some names whose process is dead."""
        return [name for name in names if not _is_alive(self._folder / (Path(name).name or _DRAFT))]

    def forget_dead(self) -> None:
        """Delete the files of dead processes, whose rows are settled."""
        for file in self._folder.iterdir():
            if not file.name.startswith(_DRAFT) and not _is_alive(file):
                with suppress(FileNotFoundError):
                    file.unlink()

    def _sign(self) -> str:
        name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        draft = self._folder / f"{_DRAFT}{name}"
        with disk_errors():
            # Never closed: it is locked as long as we live. Whoever sees it under its name sees it locked.
            fcntl.flock(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE), fcntl.LOCK_EX)
            draft.rename(self._folder / name)
        return name


def _is_alive(file: Path) -> bool:
    try:
        return file.is_file() and is_locked(file)
    except FileNotFoundError:
        return False
