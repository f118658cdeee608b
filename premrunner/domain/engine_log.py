"""What the engine writes, for its owner to read: its last lines, without secrets and without the server's folders."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from premrunner.engine.supervision.process_log import without_paths
from premrunner.net.native_threads import NativeThreads
from premrunner.storage.log_file import read_end

# Some screens full; the file itself is bounded by its writer.
LINES_MOST = 500
# A model's loading is some 20 kB; older lines are in the file.
READ_BYTES = 256 * 1024

_SECRET = re.compile(
    r"""(bearer\s+|premrunner-|sk-|(?:token|api[-_]?key|password|secret)["']?\s*[=:]\s*["']?)[^\s"']+""", re.IGNORECASE
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class LogPart:
    """Some lines.

    Attributes:
        lines: In the order they were written.
        position: Where the next part begins.
        is_new: Whether the file began anew since the position that was asked for, so that what is shown goes.
    """

    lines: Sequence[str]
    position: int
    is_new: bool


class EngineLog:
    """The engine's log.

    Args:
        file: Where the engine's output goes.
        token: The access token, which is never shown.
        threads: For what touches the disk.
    """

    def __init__(self, file: Path, token: str, threads: NativeThreads) -> None:
        self._file = file
        self._token = token
        self._threads = threads

    def read(self, position: int | None = None, most: int = LINES_MOST) -> LogPart:
        """Return the last lines, or those after a position.

        Args:
            position: What an earlier part told; None for the end of what there is.
            most: Lines at most; the last ones count.
        """
        text, end, is_new = self._threads.run(read_end, self._file, position, READ_BYTES)
        lines = [self._harmless(line) for line in text.splitlines()]
        return LogPart(lines[-most:], end, is_new)

    def _harmless(self, line: str) -> str:
        plain = _COLOURS.sub("", line).replace(self._token, "…")
        return without_paths(_SECRET.sub(r"\1…", plain))
