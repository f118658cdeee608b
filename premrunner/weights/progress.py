"""How far a conversion is, and whether anybody still wants it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from premrunner.errors import Cancelled

Stage = Literal["copying", "converting", "checking", "writing"]

# A person sees no more, and each report may become a row in a database.
_SECONDS_BETWEEN_REPORTS = 0.1


@dataclass(frozen=True)
class Progress:
    """How far a conversion is.

    Attributes:
        stage: ``checking`` reads all sources once; ``writing`` makes the file. Before these, where llama.cpp's own
            converter is needed, ``copying`` takes the weights out of an archive and ``converting`` is its work.
    """

    stage: Stage
    done_bytes: int
    total_bytes: int


class ProgressMeter:
    """Counts bytes from several threads, reports ten times a second and stops the work on demand.

    Args:
        stage: What is being counted.
        total_bytes: At the end.
        report: Called with how far it is; from any thread, one at a time.
        is_cancelled: Asked at every step.
    """

    def __init__(
        self,
        stage: Stage,
        total_bytes: int,
        report: Callable[[Progress], None] | None,
        is_cancelled: Callable[[], bool] | None,
    ) -> None:
        self._stage: Stage = stage
        self._total_bytes = total_bytes
        self._report = report
        self._is_cancelled = is_cancelled
        self._done_bytes = 0
        self._next_report = 0.0
        self._lock = threading.Lock()

    def advance(self, size_bytes: int) -> None:
        """Count some bytes.

        Raises:
            Cancelled: Nobody wants the result any more.
        """
        self.check()
        with self._lock:
            was_over = self._done_bytes >= self._total_bytes
            self._done_bytes += size_bytes
            now = time.monotonic()
            is_due = now >= self._next_report or self._done_bytes >= self._total_bytes
            if self._report and is_due and not was_over:
                self._next_report = now + _SECONDS_BETWEEN_REPORTS
                self._report(Progress(self._stage, min(self._done_bytes, self._total_bytes), self._total_bytes))

    def check(self) -> None:
        """Return if somebody still wants the result.

        Raises:
            Cancelled: Nobody does.
        """
        if self._is_cancelled and self._is_cancelled():
            raise Cancelled("The conversion was cancelled; nothing was left behind.")
