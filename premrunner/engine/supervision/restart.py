"""When to start an engine again that ended or never came up: a policy without a clock, a process or a thread."""

# Doubling from half a second: a crash costs its user little, a server that cannot start costs the machine little.
DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# After a minute of service the next crash is a new story.
STABLE_SECONDS = 60.0
# Every waiting request asks for a start; together they may not turn the back-off into a storm.
WAKE_SPACING_SECONDS = 1.0


class RestartPolicy:
    """Back-off between attempts; told what happened and when, it says when the next attempt is due.

    Times are seconds of any clock that does not go back.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.retry_at: float | None = None
        self._started_at: float | None = None
        self._ended_at: float | None = None

    def may_start(self, now: float) -> bool:
        """Tell whether an attempt is due."""
        return self.retry_at is None or now >= self.retry_at

    def started(self, now: float) -> None:
        """Note an attempt."""
        self._started_at = now
        self.retry_at = None

    def ended(self, now: float) -> float:
        """Note that the engine ended, or could not be started, and return when to try again."""
        if self._started_at is not None and now - self._started_at >= STABLE_SECONDS:
            self.failures = 0
        delay = DELAYS_SECONDS[min(self.failures, len(DELAYS_SECONDS) - 1)]
        self.failures += 1
        self._started_at = None
        self._ended_at = now
        self.retry_at = now + delay
        return self.retry_at

    def wake(self, now: float) -> None:
        """Note that somebody needs the engine: the next attempt is due now, or a second after the last failure."""
        if self.retry_at is not None and self._ended_at is not None:
            self.retry_at = min(self.retry_at, max(now, self._ended_at + WAKE_SPACING_SECONDS))
