"""What an import tells while it works: at most a few rows a second, with rate and time left."""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timezone

from premrunner.events import ImportEvent, ImportStatus

# A bar that moves twice a second looks alive; every report is a row.
SECONDS_BETWEEN = 0.5
# The rate is that of the last seconds, so that it follows the disk and not the past.
RATE_SAMPLES = 12


class Reporter:
    """Tells what one import does.

    Args:
        import_id: Which.
        tell: Keeps an event.
        clock: Seconds that only grow.
    """

    def __init__(
        self, import_id: str, tell: Callable[[ImportEvent], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._import_id = import_id
        self._tell = tell
        self._clock = clock
        self._stage = ""
        self._message = ""
        self._last = float("-inf")
        self._samples: deque[tuple[float, int]] = deque(maxlen=RATE_SAMPLES)

    def begin(self, stage: str, message: str) -> None:
        """Tell that a stage begins."""
        self._stage = stage
        self._say("importing", 0, message)

    def say(self, message: str, percent: int = 0) -> None:
        """Tell what is done now, within the stage."""
        self._say("importing", percent, message)

    def finish(self, message: str) -> None:
        """Tell that the stage is over."""
        self._say("importing", 100, message)

    def end(self, status: ImportStatus, message: str) -> None:
        """Tell how the import ended."""
        self._say(status, 100 if status == "ready" else 0, message)

    def advance(self, done_bytes: int, total_bytes: int) -> None:
        """Tell how far the stage is; costs nothing most of the time."""
        now = self._clock()
        if now - self._last < SECONDS_BETWEEN and done_bytes < total_bytes:
            return
        self._last = now
        self._samples.append((now, done_bytes))
        rate = self._rate()
        self._tell(
            ImportEvent(
                import_id=self._import_id,
                status="importing",
                stage=self._stage,
                percent=done_bytes * 100 // total_bytes if total_bytes else 100,
                message=self._message,
                created_at=datetime.now(timezone.utc),
                done_bytes=done_bytes,
                total_bytes=total_bytes,
                bytes_per_second=rate,
                seconds_left=(total_bytes - done_bytes) / rate if rate else None,
            )
        )

    def _rate(self) -> float | None:
        (first_time, first_bytes), (last_time, last_bytes) = self._samples[0], self._samples[-1]
        if last_time <= first_time or last_bytes <= first_bytes:
            return None
        return (last_bytes - first_bytes) / (last_time - first_time)

    def _say(self, status: ImportStatus, percent: int, message: str) -> None:
        self._message = message
        self._samples.clear()
        self._last = float("-inf")
        moment = datetime.now(timezone.utc)
        self._tell(ImportEvent(self._import_id, status, self._stage, percent, message, moment))
