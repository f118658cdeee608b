"""The owner of the engine: chooses it, starts it, watches it, starts it again, and tells everybody how it is.

One thread does all of it, step by step; a step takes some seconds at most. What is decided is in ``plan``, when to try
again in ``restart``, how to look in ``watch``, how to start in ``launch`` and ``process``.
"""

import dataclasses
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from premrunner.engine.address import EngineAddress
from premrunner.engine.ownership import Ownership, claim
from premrunner.engine.state import EngineState, EngineStatus, take_request, take_restart
from premrunner.engine.supervision.announce import Announcer
from premrunner.engine.supervision.launch import EngineLauncher
from premrunner.engine.supervision.leftover import end_leftovers, forget_process
from premrunner.engine.supervision.locations import InstalledOllama, find_ollama
from premrunner.engine.supervision.plan import EngineWish, Report, Situation, StartBuiltin, StartOllama, Use, decide
from premrunner.engine.supervision.process import STOP_GRACE_SECONDS, EngineProcess
from premrunner.engine.supervision.restart import RestartPolicy
from premrunner.engine.supervision.watch import BUSY_SECONDS, FULL_LOOK_SECONDS, Watch

logger = logging.getLogger(__name__)

# A request that finds no engine asks for one by a file; this is how soon that is seen.
STEP_SECONDS = 0.25
# After a fault of our own: often enough to recover, seldom enough not to fill the log.
_FAULT_PAUSE_SECONDS = 5.0
# A step takes some probes' time at most, and ending the engine its time of grace.
_THREAD_END_SECONDS = 15.0

OLLAMA = "ollama"
BUILTIN = "builtin"
_NAMES = {OLLAMA: "Ollama", BUILTIN: "The built-in engine"}


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long the supervisor waits before it gives up on an engine that it started, in seconds.

    Attributes:
        start: For the first answer. Ollama looks for graphics cards for up to 30 s, on a slow disk longer.
        hang: For an answer from an engine that accepts connections and had answered before.
        stop: For its end after SIGTERM.
        full_look: Between two requests to an engine that runs.
        busy: For an answer, before everybody is told that there is none.
    """

    start: float = 90.0
    hang: float = 60.0
    stop: float = STOP_GRACE_SECONDS
    full_look: float = FULL_LOOK_SECONDS
    busy: float = BUSY_SECONDS


@dataclasses.dataclass(frozen=True)
class _Child:
    """An engine that we started."""

    kind: str
    process: EngineProcess
    watch: Watch


class EngineSupervisor:
    """Owns the engine of one data folder, from ``start`` to ``stop``.

    Args:
        wish: Which engine the user wants, and where.
        launcher: Starts engines; knows the folders.
        on_change: Called with each new state, from the supervisor's thread.
        find: Finds an installed Ollama, given the folder of our own copy.
        patience: How long to wait for what.
        clock: Seconds of a clock that does not go back.
    """

    def __init__(
        self,
        wish: EngineWish,
        launcher: EngineLauncher,
        *,
        on_change: Callable[[EngineState], None] | None = None,
        find: Callable[[Path], InstalledOllama | None] = find_ollama,
        patience: Patience = Patience(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wish = wish
        self._launcher = launcher
        self._run_folder = launcher.folders.run
        self._announcer = Announcer(self._run_folder, on_change)
        self._find = find
        self._patience = patience
        self._clock = clock
        self._policy = RestartPolicy()
        self._watch = self._watch_of(wish.address)
        self._was_used = False
        self._child: _Child | None = None
        self._last_failure = ""
        self._ownership: Ownership | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._nudge = threading.Event()

    @property
    def state(self) -> EngineState:
        """The engine as it was last seen."""
        return self._announcer.state or EngineState(EngineStatus.STOPPED)

    def start(self) -> None:
        """Become the owner, end what a killed owner left, and begin; returns before the engine answers.

        Raises:
            EngineOwned: Another process owns the engine.
            StorageFailed: The run folder cannot be written.
        """
        self._ownership = claim(self._run_folder)
        end_leftovers(self._run_folder)
        take_request(self._run_folder)
        take_restart(self._run_folder)
        self._publish(EngineStatus.STARTING)
        self._thread = threading.Thread(target=self._run, name="engine-supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the engine if we started it, and let go; harmless when repeated or before ``start``."""
        self._stopping.set()
        self._nudge.set()
        if self._thread is not None:
            self._thread.join(_THREAD_END_SECONDS)
            self._thread = None
        if self._ownership is not None:
            self._ownership.release()
            self._ownership = None

    def wait_until_ready(self, timeout_seconds: float) -> EngineState:
        """Wait until the engine runs, at most for a time, and return how it is then."""
        self._announcer.wait(lambda state: state.is_running or self._stopping.is_set(), timeout_seconds)
        return self.state

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause_seconds = STEP_SECONDS
            try:
                self._step()
            except Exception:  # The thread's outermost line: an owner that dies leaves everybody waiting.
                logger.exception("a step of the engine's supervisor failed")
                pause_seconds = _FAULT_PAUSE_SECONDS
            self._nudge.wait(pause_seconds)
            self._nudge.clear()
        if self._child is not None:
            self._child.process.stop(self._patience.stop)
            self._child = None
            forget_process(self._run_folder)
        self._publish(EngineStatus.STOPPED, why="PremRunner was stopped.")

    def _step(self) -> None:
        if take_request(self._run_folder):
            self._policy.wake(self._clock())
        if take_restart(self._run_folder) and self._child is not None:
            self._end(self._child)
        if self._child is None:
            self._follow_plan()
        else:
            self._attend(self._child)

    def _follow_plan(self) -> None:
        plan = decide(self._wish, self._situation())
        if isinstance(plan, Use):
            self._was_used = True
            self._publish(EngineStatus.RUNNING)
        elif isinstance(plan, Report):
            self._publish(plan.state, why=plan.why)
        elif self._policy.may_start(self._clock()):
            self._launch(plan)

    def _situation(self) -> Situation:
        if self._wish.mode == "builtin":  # What else is on the machine does not matter.
            return Situation(self._watch.known, 0.0, was_used=False, installed=None)
        found = self._watch.look()
        # Only a free port raises the question who could take it.
        installed = self._find(self._launcher.folders.install) if found.state is EngineStatus.STOPPED else None
        return Situation(found, self._watch.known_seconds, self._was_used, installed)

    def _launch(self, plan: StartOllama | StartBuiltin) -> None:
        kind = OLLAMA if isinstance(plan, StartOllama) else BUILTIN
        self._policy.started(self._clock())
        try:
            process, address = self._launcher.start(plan, self._wish.address, self._nudge.set)
        except OSError as error:
            self._fail(kind, f"could not be started: {error.strerror or type(error).__name__}")
            return
        self._child = _Child(kind, process, self._watch_of(address))
        self._publish(EngineStatus.STARTING, why=self._last_failure)

    def _attend(self, child: _Child) -> None:
        if not child.process.is_alive:
            self._fail(child.kind, f"ended ({child.process.why_ended()})")
            return
        if child.watch.look().state is EngineStatus.RUNNING:
            self._last_failure = ""
            self._publish(EngineStatus.RUNNING)
            return
        limit_seconds = self._patience.hang if child.watch.has_answered else self._patience.start
        if child.watch.silent_seconds > limit_seconds:
            child.process.stop(self._patience.stop)
            self._fail(child.kind, f"did not answer for {limit_seconds:.0f} seconds and was ended")
        else:
            silence = f"{_NAMES[child.kind]} does not answer at the moment."
            self._publish(EngineStatus.STARTING, why=silence if child.watch.has_answered else self._last_failure)

    def _end(self, child: _Child) -> None:
        """End our engine because somebody wants it started again."""
        logger.info("the engine is restarted, as was asked", extra={"engine": child.kind})
        self._publish(EngineStatus.STARTING, why=f"{_NAMES[child.kind]} is being restarted.")
        child.process.stop(self._patience.stop)
        self._child = None
        forget_process(self._run_folder)
        self._watch = self._watch_of(self._wish.address)

    def _fail(self, kind: str, how: str) -> None:
        """Note that our engine is gone, or never came, and when it is tried again."""
        self._last_failure = f"{_NAMES[kind]} {how}."
        logger.warning("the engine failed: %s", how, extra={"engine": kind})
        self._child = None
        forget_process(self._run_folder)
        self._watch = self._watch_of(self._wish.address)
        now = self._clock()
        delay_seconds = self._policy.ended(now) - now
        self._publish(EngineStatus.FAILED, kind=kind, why=self._last_failure, retry_at=time.time() + delay_seconds)

    def _publish(
        self, state: EngineStatus, *, why: str = "", kind: str | None = None, retry_at: float | None = None
    ) -> None:
        """Announce a state of what is watched now: our child, or what is at OLLAMA_HOST."""
        watch = self._child.watch if self._child else self._watch
        is_running = state is EngineStatus.RUNNING
        if self._child:
            kind = self._child.kind
        elif is_running:
            kind = BUILTIN if watch.known.is_builtin else OLLAMA
        self._announcer.announce(
            EngineState(
                state,
                engine=kind,
                version=watch.known.version if is_running else None,
                host=watch.address.host,
                port=watch.address.port,
                pid=self._child.process.pid if self._child else None,
                why=why,
                retry_at=retry_at,
                owner_pid=os.getpid(),
            )
        )

    def _watch_of(self, address: EngineAddress) -> Watch:
        patience = self._patience
        return Watch(address, self._clock, full_look_seconds=patience.full_look, busy_seconds=patience.busy)
