"""What the engine's process writes: kept in a file that never grows past its bound, and its last lines in memory."""

import os
import re
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

# Ollama writes about 100 bytes a request and some 20 kB a model it loads. With one older file: 4 MiB at most.
MOST_FILE_BYTES = 2 * 1024 * 1024
_READ_BYTES = 64 * 1024
# A Go panic prints its reason first and then a stack of some dozen lines a goroutine.
_LINES_KEPT = 200
_LONGEST_LINE = 2000
_LONGEST_REASON = 300

_REASON = re.compile(r"\b(panic:|fatal error:|error:|level=ERROR|level=FATAL)", re.IGNORECASE)
# An absolute path of two parts or more; the slashes of a URL and of a fraction are left alone.
_ABSOLUTE_PATH = re.compile(r"(?<![\w./:~-])/(?:[^\s/:\"'`,;()<>\[\]]+/)+([^\s/:\"'`,;()<>\[\]]*)")


class ProcessLog:
    """Takes the output of one process after another into one bounded file.

    A full disk costs the lines, never the engine: its pipe is read on.

    Args:
        path: The file; the one before it gets ``.1`` at its end. Its folder is made.
        most_bytes: Size at which a new file is begun.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_FILE_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._unfinished = b""

    def follow(self, pipe: IO[bytes]) -> threading.Thread:
        """Read a process's output in a thread of its own until its end, then close it."""
        self._lines.clear()
        self._unfinished = b""
        thread = threading.Thread(target=self._copy, args=(pipe,), name="engine-log", daemon=True)
        thread.start()
        return thread

    def reason(self) -> str:
        """Return the line that most likely tells why the process ended, without paths of this machine; or nothing."""
        return without_paths(telling_line(list(self._lines)))[:_LONGEST_REASON]

    def _copy(self, pipe: IO[bytes]) -> None:
        with pipe:
            while data := os.read(pipe.fileno(), _READ_BYTES):
                self._remember(data)
                with suppress(OSError):
                    self._append(data)
        if self._unfinished:
            self._remember(b"\n")

    def _remember(self, data: bytes) -> None:
        *finished, rest = (self._unfinished + data).split(b"\n")
        self._unfinished = rest[:_LONGEST_LINE]
        for line in finished:
            text = line[:_LONGEST_LINE].decode("utf-8", "replace").strip()
            if text:
                self._lines.append(text)

    def _append(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if self._path.stat().st_size + len(data) > self._most_bytes:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
        with self._path.open("ab") as file:
            file.write(data)


def telling_line(lines: Iterable[str]) -> str:
    """Return the last line that names an error, else the last line, else nothing."""
    last = ""
    telling = ""
    for line in lines:
        last = line
        if _REASON.search(line):
            telling = line
    return telling or last


def without_paths(text: str) -> str:
    """Shorten absolute paths to their last part: users learn what is wrong, not how the server is laid out."""
    return _ABSOLUTE_PATH.sub(lambda match: f"…/{match[1]}", text)
