"""Look at one address again and again: often with a bare connection, thoroughly only when there is a reason."""

from collections.abc import Callable

from premrunner.engine.address import EngineAddress
from premrunner.engine.state import EngineStatus
from premrunner.engine.supervision.probe import Probe, probe, why_unreachable

# A connection that is closed again costs 0.1 ms and leaves no line in Ollama's log, where every request leaves one.
GLANCE_SECONDS = 1.0
# A server that hangs still accepts connections; only a request finds that out.
FULL_LOOK_SECONDS = 15.0
# While it starts, a user is waiting for it; after a while nobody is any more.
AWAITED_LOOK_SECONDS = 0.2
AWAITED_SECONDS = 15.0
# An engine that computes on every core misses an answer now and then; turning requests away for that helps nobody.
BUSY_SECONDS = 10.0


class Watch:
    """What is known of one address.

    Args:
        address: Where to look.
        clock: Seconds of a clock that does not go back.
        full_look_seconds: Time between two requests to an engine that runs.
        busy_seconds: How long one that ran and still accepts connections is believed to run.

    Attributes:
        known: What the last look found.
        has_answered: Whether an engine has ever answered there.
    """

    def __init__(
        self,
        address: EngineAddress,
        clock: Callable[[], float],
        *,
        full_look_seconds: float = FULL_LOOK_SECONDS,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self.address = address
        self._clock = clock
        self._full_look_seconds = full_look_seconds
        self._busy_seconds = busy_seconds
        self._answered_at = self._known_since = clock()
        self._next_look = self._next_full_look = clock()
        self.known = Probe(EngineStatus.STOPPED)
        self.has_answered = False

    @property
    def silent_seconds(self) -> float:
        """How long no engine has answered, counted from the first look."""
        return self._clock() - self._answered_at

    @property
    def known_seconds(self) -> float:
        """For how long it has been as it is now."""
        return self._clock() - self._known_since

    def look(self) -> Probe:
        """Return what is there, at most a second old; blocks for a probe's time at most."""
        if self._clock() < self._next_look:
            return self.known
        if self._is_still_listening():
            self._answered_at = self._clock()
        else:
            self._look_fully()
        is_awaited = self.known.state is not EngineStatus.RUNNING and self.silent_seconds < AWAITED_SECONDS
        self._next_look = self._clock() + (AWAITED_LOOK_SECONDS if is_awaited else GLANCE_SECONDS)
        return self.known

    def _is_still_listening(self) -> bool:
        is_running = self.known.state is EngineStatus.RUNNING
        return is_running and self._clock() < self._next_full_look and why_unreachable(self.address) is None

    def _look_fully(self) -> None:
        found = probe(self.address)
        now = self._clock()
        if found.state is EngineStatus.RUNNING:
            self.has_answered = True
            self._answered_at = now
            self._next_full_look = now + self._full_look_seconds
        elif self._may_be_busy(found):
            return
        if found.state is not self.known.state:
            self._known_since = now
        self.known = found

    def _may_be_busy(self, found: Probe) -> bool:
        was_running = self.known.state is EngineStatus.RUNNING
        return was_running and found.state is EngineStatus.STARTING and self.silent_seconds < self._busy_seconds
