"""Progress as one line of a terminal."""

import threading
import time
from collections import deque
from collections.abc import Callable

# The rate is that of the last seconds: the mean of a whole day says nothing of now.
RATE_WINDOW_SECONDS = 5.0
REDRAW_SECONDS = 0.2

Show = Callable[[str], None]


class Meter:
    """Counts bytes and draws them as one line: a bar, the rate and the time left.

    Args:
        label: What is going on.
        total_bytes: How many there are.
        show: Takes the line, which replaces the one before.
    """

    def __init__(self, label: str, total_bytes: int, show: Show) -> None:
        self._label = label
        self._total = total_bytes
        self._show = show
        self._done = 0
        self._drawn_at = 0.0
        self._samples: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def add(self, size_bytes: int) -> None:
        """Count more bytes; fewer, where some have to be sent again."""
        with self._lock:
            self._done += size_bytes
            now = time.monotonic()
            if now - self._drawn_at > REDRAW_SECONDS or self._done == self._total:
                self._drawn_at = now
                self._show(self._line(now))

    def _line(self, now: float) -> str:
        self._samples.append((now, self._done))
        while now - self._samples[0][0] > RATE_WINDOW_SECONDS:
            self._samples.popleft()
        (since, before), share = self._samples[0], self._done / max(self._total, 1)
        rate = (self._done - before) / (now - since) if now > since else 0.0
        left = f", {_duration((self._total - self._done) / rate)} left" if rate > 0 and share < 1 else ""
        bar = "#" * int(share * 20)
        sizes = f"{self._done / 1e9:.2f} of {self._total / 1e9:.2f} GB"
        return f"{self._label} [{bar:<20}] {share:4.0%}  {sizes}, {rate / 1e6:.1f} MB/s{left}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
