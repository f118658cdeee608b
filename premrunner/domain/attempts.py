"""Slow down whoever guesses tokens."""

import threading
import time
from collections.abc import Callable

from premrunner.errors import TooManyAttempts

# Nobody mistypes more often; a guesser gets 5 tries a minute, which is nothing against 256 random bits.
WRONG_MOST = 5
WINDOW_SECONDS = 60.0
# Addresses remembered; more at one time are an attack, and then the oldest are forgotten first.
ADDRESSES_MOST = 10_000


class Attempts:
    """Counts wrong tokens by address.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Let an address try.

        Raises:
            TooManyAttempts: It was wrong too often in the last minute.
        """
        with self._lock:
            recent = self._recent(address)
        if len(recent) >= WRONG_MOST:
            wait = int(WINDOW_SECONDS - (self._clock() - recent[0])) + 1
            raise TooManyAttempts(f"Too many wrong tokens. Try again in {wait} seconds.", retry_after_seconds=wait)

    def failed(self, address: str) -> None:
        """Count a wrong token."""
        with self._lock:
            self._wrong[address] = [*self._recent(address), self._clock()]
            while len(self._wrong) > ADDRESSES_MOST:
                del self._wrong[next(iter(self._wrong))]

    def _recent(self, address: str) -> list[float]:
        since = self._clock() - WINDOW_SECONDS
        recent = [moment for moment in self._wrong.get(address, ()) if moment > since]
        if not recent:
            self._wrong.pop(address, None)
        return recent
