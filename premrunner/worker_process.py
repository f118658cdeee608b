"""The worker as a child of ``premrunner serve``: started, started again when it dies, and ended with it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

# A worker that dies at once, again and again, shall not keep the machine busy.
PAUSES_SECONDS = (0.5, 2.0, 10.0)
# It has lived long enough for its end to be no fault of its start.
HEALTHY_SECONDS = 60.0
END_SECONDS = 6.0


class WorkerProcess:
    """One worker, as long as this object wants it.

    Args:
        environment: All its variables.
        say: Prints a line for the user.
    """

    def __init__(self, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._environment = dict(environment)
        self._say = say
        self._ending = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="worker", daemon=True)

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def ask_to_end(self) -> None:
        """Have it end; returns at once."""
        self._ending.set()
        with self._lock:
            self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it and return when it is gone."""
        self.ask_to_end()
        if self._thread.ident is not None:
            self._thread.join(END_SECONDS)
        with self._lock:
            self._signal(signal.SIGKILL)

    def _keep(self) -> None:
        attempts = 0
        while not self._ending.is_set():
            begun = time.monotonic()
            code = self._run_once()
            if self._ending.is_set():
                return
            attempts = 0 if time.monotonic() - begun > HEALTHY_SECONDS else attempts
            self._say(f"The worker ended by itself (code {code}); it is started again.")
            self._ending.wait(PAUSES_SECONDS[min(attempts, len(PAUSES_SECONDS) - 1)])
            attempts += 1

    def _run_once(self) -> int:
        with self._lock:
            if self._ending.is_set():
                return 0
            # A session of its own: Ctrl-C comes to our parent alone, which ends the parts in order.
            self._child = subprocess.Popen(
                [sys.executable, "-m", "premrunner", "worker"], env=self._environment, start_new_session=True
            )
        return self._child.wait()

    def _signal(self, number: int) -> None:
        if self._child is not None and self._child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)
