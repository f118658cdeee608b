"""One run of a local engine: a child in a session of its own; whatever it started ends when it does."""

import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from premrunner.engine.supervision.leftover import ProcessRecord, forget_process, kill_marked, record_process
from premrunner.engine.supervision.process_log import ProcessLog
from premrunner.engine.supervision.process_table import MARK_VARIABLE, start_time

# Ollama needs about a second to end its models, the built-in engine up to two.
STOP_GRACE_SECONDS = 5.0
# After SIGKILL the kernel needs no more than this, unless a process hangs in a broken disk.
_KILL_SECONDS = 2.0
# The output ends with the group; only a process that left the group could hold it open.
_LOG_END_SECONDS = 1.0


class EngineProcess:
    """A running engine that we started; ``start_process`` makes one."""

    def __init__(
        self, child: "subprocess.Popen[bytes]", mark: str, log: ProcessLog, on_exit: Callable[[], None]
    ) -> None:
        assert child.stdout is not None  # noqa: S101 (start_process asked for the pipe)
        self.pid = child.pid
        self.exit_code: int | None = None
        self._child = child
        self._mark = mark
        self._on_exit = on_exit
        self._log = log
        self._log_thread = log.follow(child.stdout)
        self._is_collected = False
        self._collecting = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._await_exit, name="engine-exit", daemon=True).start()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return not self._ended.is_set()

    def why_ended(self) -> str:
        """Say how it ended and what it wrote last, as the end of a sentence."""
        code = self.exit_code or 0
        with suppress(ValueError):
            return self._with_reason(f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}")
        return self._with_reason(f"exit code {code}")

    def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """End it and everything that it started: SIGTERM, a time of grace, SIGKILL. Harmless when repeated."""
        self._signal(signal.SIGTERM)
        if not self._ended.wait(grace_seconds):
            self.kill()

    def kill(self) -> None:
        """End its whole group at once."""
        self._signal_group(signal.SIGKILL)
        self._ended.wait(_KILL_SECONDS)

    def _with_reason(self, how: str) -> str:
        reason = self._log.reason()
        return f"{how}; it said: {reason}" if reason else how

    def _await_exit(self) -> None:
        if hasattr(os, "waitid"):
            # Seen but not collected: its number stays taken, so the group's can be nobody else's when it is killed.
            with suppress(ChildProcessError):  # Where SIGCHLD is ignored the kernel collects by itself.
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:  # macOS before Python 3.13. Numbers are given out in a ring there, so ours is not taken at once.
            self._child.wait()
        with self._collecting:
            _kill_group(self.pid, signal.SIGKILL)
            self.exit_code = self._child.wait()
            self._is_collected = True
        kill_marked(self._mark)
        self._log_thread.join(_LOG_END_SECONDS)
        self._ended.set()
        self._on_exit()

    def _signal(self, number: signal.Signals) -> None:
        with self._collecting:
            if not self._is_collected:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, number)

    def _signal_group(self, number: signal.Signals) -> None:
        with self._collecting:
            if not self._is_collected:
                _kill_group(self.pid, number)


def start_process(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    run_folder: Path,
    log: ProcessLog,
    on_exit: Callable[[], None],
    popen: Callable[..., "subprocess.Popen[bytes]"] = subprocess.Popen,
) -> EngineProcess:
    """Start an engine so that it can always be found and ended, also after this process was killed.

    Args:
        command: Program and arguments.
        environment: All its variables.
        run_folder: Where the start is recorded; also its working folder, so that ``python -m`` finds no stray modules.
        log: Takes what it writes.
        on_exit: Called once, from another thread, after it ended and its group with it.
        popen: As ``subprocess.Popen``.

    Raises:
        OSError: The program cannot be started, or the start not recorded.
    """
    mark = secrets.token_hex(16)
    record_process(run_folder, ProcessRecord(mark))
    try:
        child = popen(
            list(command),
            env={**environment, MARK_VARIABLE: mark},
            cwd=run_folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
        )
    except OSError:
        forget_process(run_folder)
        raise
    # The record without a number finds it by its mark, so a full disk is no reason to give up here.
    with suppress(OSError):
        record_process(run_folder, ProcessRecord(mark, child.pid, start_time(child.pid)))
    return EngineProcess(child, mark, log, on_exit)


def _kill_group(pid: int, number: signal.Signals) -> None:
    # macOS answers "not permitted" for a group of which only the dead leader is left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
