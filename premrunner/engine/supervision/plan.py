"""Which engine to use: a decision from what is known, made without touching anything."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from premrunner.engine.address import EngineAddress
from premrunner.engine.state import EngineStatus
from premrunner.engine.supervision.locations import InstalledOllama
from premrunner.engine.supervision.probe import Probe

EngineMode = Literal["auto", "ollama", "builtin"]
ENGINE_MODES: tuple[EngineMode, ...] = get_args(EngineMode)

# systemd brings an Ollama that was restarted or updated back after three seconds (install.sh's RestartSec).
RETURN_SECONDS = 6.0
# Ollama listens up to 30 s before it answers, while it looks for graphics cards; after that it is something else.
FOREIGN_START_SECONDS = 40.0


@dataclass(frozen=True)
class EngineWish:
    """What the user set, and what the machine allows.

    Attributes:
        address: OLLAMA_HOST. A server is only ever started on this machine's loopback.
        is_explicit: Whether the user set it, and so means whatever engine answers there.
        mode: Which engine is wanted.
        has_builtin: Whether the built-in engine can run on this machine.
    """

    address: EngineAddress = EngineAddress()  # noqa: RUF009 (frozen)
    is_explicit: bool = False
    mode: EngineMode = "auto"
    has_builtin: bool = True


@dataclass(frozen=True)
class Situation:
    """What is known at the moment of the choice.

    Attributes:
        found: What is at OLLAMA_HOST; nothing of it is ours.
        found_seconds: For how long that has been so.
        was_used: Whether an engine there was in use before.
        installed: The Ollama that could be started.
    """

    found: Probe
    found_seconds: float
    was_used: bool
    installed: InstalledOllama | None


@dataclass(frozen=True)
class Use:
    """Use what runs at OLLAMA_HOST; it is not ours and is never ended."""


@dataclass(frozen=True)
class Report:
    """Do nothing but say why, and look again."""

    state: EngineStatus
    why: str


@dataclass(frozen=True)
class StartOllama:
    """Start the installed Ollama at OLLAMA_HOST."""

    executable: Path
    is_own: bool


@dataclass(frozen=True)
class StartBuiltin:
    """Start the built-in engine on a free port."""


Plan = Use | Report | StartOllama | StartBuiltin


def decide(wish: EngineWish, situation: Situation) -> Plan:
    """Choose the engine."""
    if wish.mode == "builtin":
        return StartBuiltin()
    found = situation.found
    if not wish.address.is_loopback:
        return Use() if found.state is EngineStatus.RUNNING else Report(found.state, found.detail)
    if found.state is EngineStatus.RUNNING and not _is_of_another_premrunner(wish, found):
        return Use()
    if found.state is EngineStatus.STARTING and situation.found_seconds < FOREIGN_START_SECONDS:
        return Report(EngineStatus.STARTING, found.detail)
    if situation.was_used:
        return _await_return(situation)
    if found.state is EngineStatus.STOPPED and situation.installed is not None:
        return StartOllama(situation.installed.executable, situation.installed.is_own)
    if wish.mode == "ollama":
        return _report_missing(found)
    return _start_builtin(wish)


def _is_of_another_premrunner(wish: EngineWish, found: Probe) -> bool:
    """Tell whether a built-in engine answers whose models nobody asked for: those of another data folder."""
    return wish.mode == "auto" and found.is_builtin and not wish.is_explicit


def _await_return(situation: Situation) -> Plan:
    """An engine that was in use has gone.

    The built-in engine may not take its place: every model would vanish from the list, and its port with them.
    """
    found, installed = situation.found, situation.installed
    if found.state is EngineStatus.STOPPED and installed is not None and situation.found_seconds >= RETURN_SECONDS:
        return StartOllama(installed.executable, installed.is_own)
    return Report(found.state, f"The engine that was in use is gone. {found.detail} PremRunner waits for it.")


def _report_missing(found: Probe) -> Report:
    if found.state is EngineStatus.STOPPED:
        return Report(
            EngineStatus.NOT_INSTALLED,
            "No Ollama runs and none is installed. Install it (`premrunner engine install` does), "
            "or set PREMRUNNER_ENGINE=builtin.",
        )
    return Report(EngineStatus.WRONG_PROGRAM, found.detail)


def _start_builtin(wish: EngineWish) -> Plan:
    if wish.has_builtin:
        return StartBuiltin()
    return Report(
        EngineStatus.NOT_INSTALLED,
        "No Ollama is installed, and the built-in engine does not exist for this machine. "
        "Install Ollama: `premrunner engine install` does.",
    )
