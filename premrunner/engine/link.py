"""The way from a web process to the engine: its owner publishes where it is, and is asked to hurry when it is not."""

import threading
import time
from pathlib import Path

from premrunner.engine.address import EngineAddress
from premrunner.engine.state import EngineState, read_state, request_restart, request_start
from premrunner.errors import EngineNotOurs, EngineNotReady
from premrunner.net.http import HttpPool

# The state is a small file; this many seconds old it is still news, and a burst of chats reads it once.
FRESH_SECONDS = 0.25
# A client told to wait comes back after about the time that a start takes.
RETRY_AFTER_SECONDS = 2


class EngineLink:
    """Finds the engine.

    Args:
        run_folder: Where the engine's owner publishes its state.
    """

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._state: EngineState | None = None
        self._read_at = float("-inf")
        self._pools: dict[EngineAddress, HttpPool] = {}
        self._lock = threading.Lock()

    def state(self) -> EngineState:
        """Return what is known of the engine."""
        now = time.monotonic()
        if self._state is None or now - self._read_at > FRESH_SECONDS:
            self._state, self._read_at = read_state(self._run_folder), now
        return self._state

    def restart(self) -> None:
        """Ask the engine's owner to end it and start it again.

        Raises:
            EngineNotOurs: PremRunner did not start it.
        """
        if self.state().pid is None:
            raise EngineNotOurs("PremRunner did not start this engine. Restart it where it was started.")
        request_restart(self._run_folder)

    def pool(self) -> HttpPool:
        """Return connections to the running engine.

        Raises:
            EngineNotReady: It does not run; its owner has been asked to start it.
        """
        state = self.state()
        if not state.is_running or state.address is None:
            request_start(self._run_folder)
            wait = RETRY_AFTER_SECONDS if state.retry_at is None else max(1, round(state.retry_at - time.time()))
            raise EngineNotReady(f"The engine is not ready: {state.why or state.state.value}", retry_after_seconds=wait)
        with self._lock:
            return self._pools.setdefault(state.address, HttpPool(state.address.host, state.address.port))
