"""What the load side knows: what it was promised, and which errors it met."""

import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

# After a fault, for so long, a connection may break: nobody can say a word for a process that was killed.
FAULT_SECONDS = 12.0
MOVE = "move the clock"
# What a server that breaks and heals may say. Everything else, and whatever is not JSON, is a finding.
CLEAR = {
    *("engine_not_ready", "engine_lost", "engine_broken", "engine_error", "overloaded", "server_ending"),
    *("disk_full", "storage_failed", "upload_stalled", "upload_conflict", "upload_incomplete", "import_conflict"),
    *("not_found", "model_not_found"),
}


@dataclass
class Ledger:
    """Filled by many threads, read at the end.

    Attributes:
        calls: Ids of calls whose head came, and whether their last event did: each must be a trace that has ended.
        acknowledged: By upload, the chunks that were answered 200.
        kept: Models that came in and were not deleted: each must still answer at the end.
        findings: What must not be, with its time.
        errors: Clear errors, counted.
        done: What was done, counted.
        faults: What was broken, and when.
        left_out: What cannot be broken on this machine, and why.
    """

    calls: dict[str, bool] = field(default_factory=dict)
    acknowledged: dict[str, set[int]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[float, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    begun_at: float = field(default_factory=time.monotonic)
    _fault_ends: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def has_moved_clock_since(self, moment: float) -> bool:
        return any(name == MOVE and self.begun_at + when > moment for when, name in self.faults)

    def count(self, what: str) -> None:
        with self._lock:
            self.done[what] += 1

    def find(self, what: str) -> None:
        """Note what must not be."""
        with self._lock:
            self.findings.append(f"{time.monotonic() - self.begun_at:7.1f} s  {what}")

    @contextmanager
    def fault(self, name: str):
        """Note a fault that lasts as long as the block; for some time after it connections may break."""
        self.faults.append((time.monotonic() - self.begun_at, name))
        self._fault_ends = float("inf")
        try:
            yield
        finally:
            self._fault_ends = time.monotonic() + FAULT_SECONDS

    def broken(self, what: str, error: Exception) -> None:
        """Note a connection that broke: allowed near a fault only."""
        with self._lock:
            self.errors[f"connection broke ({what})"] += 1
        if time.monotonic() > self._fault_ends:
            self.find(f"{what}: the connection broke without a fault: {error!r}")

    def refused(self, what: str, status: int, body: object) -> None:
        """Note an error that the server said; it must be one of ours."""
        error = body.get("error", {}) if isinstance(body, dict) else {}
        code = error.get("code") if isinstance(error, dict) else None
        with self._lock:
            self.errors[f"{status} {code}"] += 1
        if code not in CLEAR:
            self.find(f"{what}: an unclear error: {status} {str(body)[:200]}")

    def refused_answer(self, what: str, answer: requests.Response) -> None:
        try:
            body = answer.json()
        except requests.JSONDecodeError:
            body = answer.text
        self.refused(what, answer.status_code, body)
