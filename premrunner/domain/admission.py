"""Bound what is asked of one model at a time, first come first served.

Ollama lets requests for a loaded model wait without limit, so a burst makes everybody wait without end. Here a few are
let through, a bounded number waits for a bounded time, and the rest is told at once when to come back.
"""

import threading
from collections import deque
from dataclasses import dataclass, field

from premrunner.errors import Cancelled, Overloaded
from premrunner.metrics import Metrics

# What a client that finds the queue full is told; a short answer of a small model takes about this long.
RETRY_AFTER_SECONDS = 5


@dataclass
class _Lane:
    """One model's places: how many are taken, and who waits."""

    taken: int = 0
    waiting: deque["Ticket"] = field(default_factory=deque)


class Ticket:
    """One request's claim to a place; ``cancel`` may be called from any thread."""

    def __init__(self) -> None:
        self._called = threading.Event()
        self.has_place = False

    def cancel(self) -> None:
        """Stop waiting; harmless when the place is there already."""
        self._called.set()

    def call(self) -> None:
        """Give the place to the one who waits."""
        self.has_place = True
        self._called.set()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait to be called or cancelled; False after the timeout."""
        return self._called.wait(timeout_seconds)


class Admission:
    """Places a model.

    Args:
        places: Requests that run at one time.
        queue: Requests that may wait for a place.
        wait_seconds: Longest wait.
        metrics: Counts those who wait.
    """

    def __init__(self, places: int, queue: int, wait_seconds: float, metrics: Metrics) -> None:
        self._places = places
        self._queue = queue
        self._wait_seconds = wait_seconds
        self._metrics = metrics
        self._lanes: dict[str, _Lane] = {}
        self._lock = threading.Lock()

    def enter(self, model_name: str, ticket: Ticket) -> None:
        """Take a place, waiting for one if need be; ``leave`` gives it back.

        Raises:
            Overloaded: The queue is full, or the wait took too long.
            Cancelled: The ticket was cancelled.
        """
        with self._lock:
            lane = self._lanes.setdefault(model_name, _Lane())
            if lane.taken < self._places:
                lane.taken += 1
                ticket.call()
                return
            if len(lane.waiting) >= self._queue:
                raise Overloaded(
                    f"'{model_name}' is busy: {lane.taken} requests run and {len(lane.waiting)} wait. Try again later.",
                    retry_after_seconds=RETRY_AFTER_SECONDS,
                )
            lane.waiting.append(ticket)
        self._metrics.wait_began()
        try:
            was_called = ticket.wait(self._wait_seconds)
        finally:
            self._metrics.wait_ended()
        with self._lock:
            if ticket.has_place:
                return
            lane.waiting.remove(ticket)
        if was_called:
            raise Cancelled
        raise Overloaded(
            f"'{model_name}' was busy for {self._wait_seconds:.0f} seconds. Try again later.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )

    def leave(self, model_name: str) -> None:
        """Give a place back: to the one who has waited longest, if any."""
        with self._lock:
            lane = self._lanes[model_name]
            if lane.waiting:
                lane.waiting.popleft().call()
                return
            lane.taken -= 1
            if not lane.taken:
                del self._lanes[model_name]
