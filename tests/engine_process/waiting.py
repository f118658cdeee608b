"""Waiting for what happens in other processes."""

import time
from collections.abc import Callable

from premrunner.engine.supervision.process_table import start_time


def wait_until(is_true: Callable[[], object], timeout_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    return start_time(pid) is not None
