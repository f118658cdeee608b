"""Tell the engine's state to everybody: a file for the web processes, a callback for the terminal, a wait for tests."""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from premrunner.engine.state import EngineState, write_state

logger = logging.getLogger(__name__)


class Announcer:
    """Publishes each new state once.

    Args:
        run_folder: Where the web processes read it.
        on_change: Called with each new state, from the thread that announces it.
    """

    def __init__(self, run_folder: Path, on_change: Callable[[EngineState], None] | None) -> None:
        self._run_folder = run_folder
        self._on_change = on_change
        self._changed = threading.Condition()
        self._state: EngineState | None = None

    @property
    def state(self) -> EngineState | None:
        """What was announced last."""
        return self._state

    def announce(self, state: EngineState) -> None:
        """Publish a state unless it is what everybody knows already; never fails."""
        if self._state is not None and state.says_the_same_as(self._state):
            return
        state = dataclasses.replace(state, updated_at=time.time())
        try:
            write_state(self._run_folder, state)
        except OSError:
            logger.warning("could not publish the engine's state", exc_info=True)
        with self._changed:
            self._state = state
            self._changed.notify_all()
        logger.info("the engine is %s", state.state.value, extra={"engine": state.engine, "why": state.why})
        if self._on_change is not None:
            try:
                self._on_change(state)
            except Exception:  # Whatever listens, the engine has to be watched on.
                logger.exception("a listener to the engine's state failed")

    def wait(self, is_awaited: Callable[[EngineState], bool], timeout_seconds: float) -> EngineState | None:
        """Wait for a state, at most for a time, and return the last one."""
        with self._changed:
            self._changed.wait_for(lambda: self._state is not None and is_awaited(self._state), timeout_seconds)
            return self._state
