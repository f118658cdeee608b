"""End what an owner that was killed has left running, and nothing else.

A killed owner cannot end its engine, nor a killed Ollama its model processes. So each start is written down before it
happens; the next owner looks for the processes of that record. Whoever does not carry its random mark, or has the
number but another start time, is somebody else and is left alone.
"""

import dataclasses
import json
import logging
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from premrunner.engine.supervision.process_table import marked_processes, start_time

logger = logging.getLogger(__name__)

_RECORD_NAME = "engine-process.json"

# Ollama ends its model processes and itself within a second of SIGTERM.
_GRACE_SECONDS = 3.0
_POLL_SECONDS = 0.05


@dataclasses.dataclass(frozen=True)
class ProcessRecord:
    """An engine's process, so that a later owner recognises it.

    Attributes:
        mark: Random text in its environment and in that of everything it starts.
        pid: Its number; None while it is only about to be started.
        started: Its start as ``process_table.start_time`` tells it.
    """

    mark: str
    pid: int | None = None
    started: str | None = None


def record_process(run_folder: Path, record: ProcessRecord) -> None:
    """Write down what is about to run, or runs, before anything else can go wrong.

    Raises:
        OSError: The folder cannot be written.
    """
    part = run_folder / f"{_RECORD_NAME}.part"
    part.write_text(json.dumps(dataclasses.asdict(record)), encoding="utf-8")
    part.replace(run_folder / _RECORD_NAME)


def forget_process(run_folder: Path) -> None:
    """Note that nothing of ours runs any more."""
    with suppress(OSError):
        (run_folder / _RECORD_NAME).unlink()


def kill_marked(mark: str) -> None:
    """Kill whatever still carries a mark: what has left the group of its engine as well."""
    for pid in marked_processes(mark):
        _send(pid, signal.SIGKILL)


def end_leftovers(run_folder: Path, *, grace_seconds: float = _GRACE_SECONDS) -> list[int]:
    """End what the last owner's engine left behind; only the present owner may call this.

    Returns:
        The processes that were ended.
    """
    record = _read_record(run_folder)
    if record is None:
        return []
    leftovers = _living(record)
    for pid in leftovers:
        _send(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while (living := _living(record)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    for pid in living:
        _send(pid, signal.SIGKILL)
    if leftovers:
        logger.warning("ended what a killed owner left running", extra={"pids": leftovers})
    forget_process(run_folder)
    return leftovers


def _living(record: ProcessRecord) -> list[int]:
    found = [pid for pid in marked_processes(record.mark) if start_time(pid) is not None]
    if record.pid is not None and record.pid not in found:
        started = start_time(record.pid)
        if started is not None and started == record.started:
            found.append(record.pid)
    return found


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _read_record(run_folder: Path) -> ProcessRecord | None:
    try:
        fields = json.loads((run_folder / _RECORD_NAME).read_bytes())
        mark, pid, started = fields["mark"], fields["pid"], fields["started"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # An empty mark would be found nowhere; a pid of 0 or below would mean whole groups.
    if not isinstance(mark, str) or not mark or not (pid is None or (isinstance(pid, int) and pid > 1)):
        return None
    return ProcessRecord(mark, pid, started if isinstance(started, str) else None)
