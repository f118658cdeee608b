"""Somebody asked to stop, or the worker ends: noticed within a fifth of a second, also inside a long call."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from premrunner.errors import Cancelled, PremRunnerError

LOOK_EVERY_SECONDS = 0.2


class WorkerEnding(PremRunnerError):
    """The worker is being stopped; the import goes on where it was when the next one starts."""


class Watch:
    """Looks for a wish to stop while an import runs.

    Args:
        is_cancel_wanted: Asks the import's row.
        ending: Set when the worker is being stopped.
    """

    def __init__(self, is_cancel_wanted: Callable[[], bool], ending: threading.Event) -> None:
        self._is_cancel_wanted = is_cancel_wanted
        self._ending = ending
        self._is_cancelled = False
        self._over = threading.Event()
        self._stops: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    @property
    def is_stopped(self) -> bool:
        """Whether the work shall stop, for whichever reason."""
        return self._is_cancelled or self._ending.is_set()

    def check(self) -> None:
        """Return if the work goes on.

        Raises:
            Cancelled: Somebody asked to stop.
            WorkerEnding: The worker ends.
        """
        if self._ending.is_set():
            raise WorkerEnding("The worker is being stopped.")
        if self._is_cancelled:
            raise Cancelled("The import was cancelled.")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look while the block runs."""
        self._is_cancelled = self._is_cancel_wanted()
        thread = threading.Thread(target=self._look, name="import-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have a call made, from another thread, if the work shall stop while the block runs."""
        with self._lock:
            self._stops.append(stop)
        try:
            self.check()
            yield
        except PremRunnerError:
            self.check()  # What failed because we stopped it is no failure.
            raise
        finally:
            with self._lock:
                self._stops.remove(stop)

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_SECONDS):
            # A database that cannot be asked this moment is no reason to stop, nor to stop looking.
            try:
                self._is_cancelled = self._is_cancelled or self._is_cancel_wanted()
            except PremRunnerError:
                continue
            if self.is_stopped:
                with self._lock:
                    stops = list(self._stops)
                for stop in stops:
                    stop()
