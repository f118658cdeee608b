"""What the engine's owner tells the web processes, and the two things that they may ask of it; all are small files.

The owner holds a lock for as long as it lives, so a state whose owner was killed is known for what it is.
"""

import dataclasses
import json
import os
import tempfile
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

from premrunner.engine.address import EngineAddress
from premrunner.engine.ownership import is_owned

_STATE_NAME = "engine.json"
_REQUEST_NAME = "engine.wanted"
_RESTART_NAME = "engine.restart"
_NOBODY = "Nobody runs the engine. Start `premrunner serve`."


class EngineStatus(str, Enum):
    """In what condition the engine is."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPED = "stopped"
    WRONG_PROGRAM = "wrong_program"
    NOT_INSTALLED = "not_installed"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True)
class EngineState:
    """The engine as its owner last saw it.

    Attributes:
        state: Its condition.
        engine: ``ollama`` or ``builtin``; None while neither is chosen.
        version: What it calls its version; known when it runs.
        host: Where it answers, or would.
        port: The port there.
        pid: Its process, if PremRunner started it.
        why: Why it is not running, as a sentence for the user; empty when it runs.
        retry_at: When it will be started again, in seconds since 1970; None when nothing is planned.
        owner_pid: The process that watches it.
        updated_at: When this was written, in seconds since 1970.
    """

    state: EngineStatus
    engine: str | None = None
    version: str | None = None
    host: str | None = None
    port: int | None = None
    pid: int | None = None
    why: str = ""
    retry_at: float | None = None
    owner_pid: int | None = None
    updated_at: float = 0.0

    @property
    def is_running(self) -> bool:
        """Whether it can be asked for an answer."""
        return self.state is EngineStatus.RUNNING

    @property
    def address(self) -> EngineAddress | None:
        """Where to reach it, if that is known."""
        return EngineAddress(self.host, self.port) if self.host and self.port else None

    def says_the_same_as(self, other: "EngineState") -> bool:
        """Tell whether the two differ in nothing but when they were written."""
        return dataclasses.replace(self, updated_at=other.updated_at) == other


def write_state(run_folder: Path, state: EngineState) -> None:
    """Publish a state; a reader sees the old or the new one, never a part.

    Raises:
        OSError: The folder cannot be written.
    """
    handle, part_name = tempfile.mkstemp(dir=run_folder, prefix=f"{_STATE_NAME}.")
    part = Path(part_name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(dataclasses.asdict(state), file)
        part.replace(run_folder / _STATE_NAME)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_state(run_folder: Path) -> EngineState:
    """Return what the owner last published; STOPPED when no owner lives. Never fails."""
    if not is_owned(run_folder):
        return EngineState(EngineStatus.STOPPED, why=_NOBODY, updated_at=time.time())
    try:
        return _parse((run_folder / _STATE_NAME).read_bytes())
    except (OSError, ValueError, TypeError, RecursionError):
        return EngineState(EngineStatus.STARTING, why="The engine's owner has not said anything yet.")


def request_start(run_folder: Path) -> None:
    """Ask the owner to try now instead of waiting for its next turn; costs one system call and never fails."""
    _ask(run_folder / _REQUEST_NAME)


def take_request(run_folder: Path) -> bool:
    """Tell the owner whether somebody asked since the last call."""
    return _take(run_folder / _REQUEST_NAME)


def request_restart(run_folder: Path) -> None:
    """Ask the owner to end the engine that it started, and to start it again; never fails."""
    _ask(run_folder / _RESTART_NAME)


def take_restart(run_folder: Path) -> bool:
    """Tell the owner whether somebody wanted a restart since the last call."""
    return _take(run_folder / _RESTART_NAME)


def _ask(note: Path) -> None:
    with suppress(OSError):  # No owner ever ran here, or the disk is read-only: nobody to ask.
        note.touch()


def _take(note: Path) -> bool:
    try:
        note.unlink()
    except OSError:
        return False
    return True


_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "engine": (str,),
    "version": (str,),
    "host": (str,),
    "port": (int,),
    "pid": (int,),
    "retry_at": (int, float),
    "owner_pid": (int,),
}


def _parse(text: bytes) -> EngineState:
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise TypeError
    known: dict[str, Any] = {
        name: value
        for name, kinds in _FIELD_TYPES.items()
        if isinstance(value := fields.get(name), kinds) and not isinstance(value, bool)
    }
    updated_at = fields.get("updated_at")
    return EngineState(
        EngineStatus(fields.get("state")),
        why=str(fields.get("why") or ""),
        updated_at=float(updated_at) if isinstance(updated_at, (int, float)) else 0.0,
        **known,
    )
