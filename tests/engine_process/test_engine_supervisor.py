import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from premrunner.engine.address import EngineAddress
from premrunner.engine.state import EngineState, EngineStatus, read_state, request_restart, request_start
from premrunner.engine.supervision import restart
from premrunner.engine.supervision.launch import EngineFolders, EngineLauncher
from premrunner.engine.supervision.leftover import ProcessRecord, record_process
from premrunner.engine.supervision.locations import InstalledOllama
from premrunner.engine.supervision.plan import EngineWish
from premrunner.engine.supervision.probe import probe
from premrunner.engine.supervision.process_table import start_time
from premrunner.engine.supervision.supervisor import EngineSupervisor, Patience
from premrunner.errors import EngineOwned

from .conftest import STAND_IN
from .waiting import is_alive, wait_until

READY_SECONDS = 10.0
PATIENT = Patience()
Supervise = Callable[..., EngineSupervisor]


@pytest.fixture
def supervise(
    folders: EngineFolders, environment: dict[str, str], fake_ollama: Path, free_address: EngineAddress
) -> Iterator[Supervise]:
    """Start a supervisor over stand-ins; the words tell what the engines that it starts do."""
    supervisors: list[EngineSupervisor] = []

    def command_of_builtin(address: EngineAddress, store: Path) -> list[str]:
        script = [sys.executable, "-I", "-S", str(STAND_IN)]
        return [*script, "--host", address.host, "--port", str(address.port), "--store", str(store)]

    def run(
        wish: EngineWish | None = None,
        words: str = "",
        *,
        is_installed: bool = False,
        is_own: bool = False,
        patience: Patience = PATIENT,
        on_change: Callable[[EngineState], None] | None = None,
    ) -> EngineSupervisor:
        launcher = EngineLauncher(
            folders, inherited={**environment, "STAND_IN": words}, command_of_builtin=command_of_builtin
        )
        supervisor = EngineSupervisor(
            wish or EngineWish(free_address),
            launcher,
            find=lambda folder: InstalledOllama(fake_ollama, is_own) if is_installed else None,
            patience=patience,
            on_change=on_change,
        )
        supervisors.append(supervisor)
        supervisor.start()
        return supervisor

    yield run
    for supervisor in supervisors:
        supervisor.stop()


@pytest.fixture
def taken_address(tmp_path: Path) -> Iterator[EngineAddress]:
    """A port of this machine on which another program answers."""
    program = subprocess.Popen(
        [sys.executable, "-I", "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path), "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with program:
        assert program.stdout is not None
        line = program.stdout.readline().decode()
        yield EngineAddress("127.0.0.1", int(line.split(" port ")[1].split()[0]))
        program.kill()


def ready(supervisor: EngineSupervisor) -> EngineState:
    state = supervisor.wait_until_ready(READY_SECONDS)
    assert state.is_running, state
    return state


def seen(supervisor: EngineSupervisor, status: EngineStatus) -> EngineState:
    wait_until(lambda: supervisor.state.state is status)
    return supervisor.state


def test_an_installed_ollama_is_started_where_ollama_host_says(
    supervise: Supervise, free_address: EngineAddress, folders: EngineFolders
) -> None:
    supervisor = supervise(is_installed=True)
    state = ready(supervisor)
    assert (state.engine, state.version, state.address) == ("ollama", "0.99.0", free_address)
    assert state.pid is not None
    assert is_alive(state.pid)
    assert read_state(folders.run) == state
    environment = requests.get(f"{free_address.url}/environment", timeout=5).json()
    assert environment["OLLAMA_NO_CLOUD"] == "1"
    assert "OLLAMA_MODELS" not in environment


def test_our_own_copy_keeps_its_models_in_our_folder(
    supervise: Supervise, free_address: EngineAddress, folders: EngineFolders
) -> None:
    ready(supervise(is_installed=True, is_own=True))
    environment = requests.get(f"{free_address.url}/environment", timeout=5).json()
    assert environment["OLLAMA_MODELS"] == str(folders.models)


def test_stopping_ends_the_engine_and_everything_it_started(
    supervise: Supervise, folders: EngineFolders, children: Callable[[], list[int]]
) -> None:
    supervisor = supervise(words="child", is_installed=True)
    pid = ready(supervisor).pid
    assert pid is not None
    (child,) = children()
    supervisor.stop()
    assert not is_alive(pid)
    assert not is_alive(child)
    assert supervisor.state.state is EngineStatus.STOPPED
    assert read_state(folders.run).state is EngineStatus.STOPPED
    assert sorted(path.name for path in folders.run.iterdir()) == ["engine.json", "engine.lock"]


def test_an_ollama_that_runs_is_used_and_outlives_us(
    supervise: Supervise, run_stand_in: Callable[..., "subprocess.Popen[bytes]"], free_address: EngineAddress
) -> None:
    theirs = run_stand_in(free_address)
    supervisor = supervise(is_installed=True)
    state = ready(supervisor)
    assert (state.engine, state.pid, state.address) == ("ollama", None, free_address)
    supervisor.stop()
    assert theirs.poll() is None


def test_an_ollama_that_was_used_is_waited_for_when_it_goes(
    supervise: Supervise, run_stand_in: Callable[..., "subprocess.Popen[bytes]"], free_address: EngineAddress
) -> None:
    theirs = run_stand_in(free_address)
    supervisor = supervise()
    ready(supervisor)
    theirs.kill()
    theirs.wait()
    state = seen(supervisor, EngineStatus.STOPPED)
    assert "gone" in state.why
    run_stand_in(free_address)
    assert ready(supervisor).pid is None


def test_without_any_ollama_the_builtin_engine_starts(supervise: Supervise, free_address: EngineAddress) -> None:
    state = ready(supervise(words="builtin"))
    assert (state.engine, state.address) == ("builtin", free_address)


def test_a_wrong_program_on_the_port_does_not_block_the_builtin_engine(
    supervise: Supervise, taken_address: EngineAddress
) -> None:
    state = ready(supervise(EngineWish(taken_address), "builtin"))
    assert state.engine == "builtin"
    assert state.port != taken_address.port
    assert state.address is not None
    assert probe(state.address).is_builtin


def test_a_wrong_program_on_the_port_is_reported_when_ollama_is_wanted(
    supervise: Supervise, taken_address: EngineAddress
) -> None:
    supervisor = supervise(EngineWish(taken_address, mode="ollama"), is_installed=True)
    state = seen(supervisor, EngineStatus.WRONG_PROGRAM)
    assert str(taken_address.port) in state.why


def test_no_ollama_is_reported_when_ollama_is_wanted(supervise: Supervise, free_address: EngineAddress) -> None:
    state = seen(supervise(EngineWish(free_address, mode="ollama")), EngineStatus.NOT_INSTALLED)
    assert "premrunner engine install" in state.why


def test_the_builtin_engine_is_started_beside_an_ollama_if_it_is_wanted(
    supervise: Supervise, run_stand_in: Callable[..., object], free_address: EngineAddress
) -> None:
    run_stand_in(free_address)
    state = ready(supervise(EngineWish(free_address, mode="builtin"), "builtin"))
    assert state.engine == "builtin"
    assert state.port != free_address.port


def test_the_builtin_engine_of_another_data_folder_is_left_to_it(
    supervise: Supervise, run_stand_in: Callable[..., object], free_address: EngineAddress
) -> None:
    run_stand_in(free_address, "builtin")
    state = ready(supervise(words="builtin"))
    assert state.pid is not None
    assert state.port != free_address.port


def test_an_engine_elsewhere_is_only_watched(supervise: Supervise, folders: EngineFolders) -> None:
    supervisor = supervise(EngineWish(EngineAddress("no-such-machine.invalid", 11434)), is_installed=True)
    state = seen(supervisor, EngineStatus.STOPPED)
    assert "no-such-machine.invalid:11434" in state.why
    assert not (folders.run / "engine-process.json").exists()


def test_an_engine_of_ours_is_restarted_when_somebody_wants_it(supervise: Supervise, folders: EngineFolders) -> None:
    supervisor = supervise(words="builtin")
    before = ready(supervisor)
    assert before.pid is not None
    request_restart(folders.run)
    wait_until(lambda: supervisor.state.is_running and supervisor.state.pid != before.pid)
    assert supervisor.state.address == before.address
    assert not is_alive(before.pid)


def test_an_engine_of_somebody_else_is_not_restarted(
    supervise: Supervise,
    folders: EngineFolders,
    run_stand_in: Callable[..., "subprocess.Popen[bytes]"],
    free_address: EngineAddress,
) -> None:
    theirs = run_stand_in(free_address)
    supervisor = supervise()
    ready(supervisor)
    request_restart(folders.run)
    wait_until(lambda: not (folders.run / "engine.restart").exists())
    assert theirs.poll() is None
    assert supervisor.state.is_running


@pytest.mark.parametrize("is_installed", [True, False], ids=["ollama", "builtin"])
def test_an_engine_that_is_killed_comes_back_at_the_same_address(supervise: Supervise, is_installed: bool) -> None:
    states: list[EngineState] = []
    supervisor = supervise(words="child", is_installed=is_installed, on_change=states.append)
    before = ready(supervisor)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: supervisor.state.state is EngineStatus.FAILED)
    after = ready(supervisor)
    assert after.address == before.address
    assert after.pid != before.pid
    failed = next(state for state in states if state.state is EngineStatus.FAILED)
    assert "SIGKILL" in failed.why
    assert failed.retry_at is not None


def test_an_engine_that_never_starts_says_why_and_is_tried_again_ever_later(supervise: Supervise) -> None:
    states: list[EngineState] = []
    supervise(words="refuse", is_installed=True, on_change=states.append)
    wait_until(lambda: sum(state.state is EngineStatus.FAILED for state in list(states)) >= 2)
    first, second = [state for state in states if state.state is EngineStatus.FAILED][:2]
    assert first.why == "Ollama ended (exit code 1; it said: Error: open …/id_ed25519: permission denied)."
    assert first.retry_at is not None
    assert second.retry_at is not None
    assert second.retry_at - first.retry_at > 0.9  # It failed after the first time to try; then a second passes.


def test_somebody_who_needs_the_engine_gets_it_tried_at_once(
    supervise: Supervise, folders: EngineFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restart, "DELAYS_SECONDS", (3600.0,))
    states: list[EngineState] = []

    def failures() -> int:
        return sum(state.state is EngineStatus.FAILED for state in list(states))

    supervise(words="refuse", is_installed=True, on_change=states.append)
    wait_until(lambda: failures() == 1)
    request_start(folders.run)
    wait_until(lambda: failures() == 2)


def test_an_engine_that_listens_but_never_answers_is_given_up(supervise: Supervise) -> None:
    supervisor = supervise(words="silent", is_installed=True, patience=Patience(start=0.5))
    assert "did not answer" in seen(supervisor, EngineStatus.FAILED).why


def test_an_engine_that_hangs_is_told_and_then_replaced(supervise: Supervise) -> None:
    supervisor = supervise(is_installed=True, patience=Patience(hang=3.0, stop=0.1, full_look=0.2, busy=0.5))
    before = ready(supervisor)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGSTOP)
    assert "at the moment" in seen(supervisor, EngineStatus.STARTING).why
    wait_until(lambda: not is_alive(before.pid), 15)
    assert ready(supervisor).pid != before.pid


def test_a_second_owner_is_refused(supervise: Supervise) -> None:
    ready(supervise(is_installed=True))
    with pytest.raises(EngineOwned, match=str(os.getpid())):
        supervise(is_installed=True)


def test_a_new_owner_ends_the_engine_of_a_killed_one_and_starts_its_own(
    supervise: Supervise,
    folders: EngineFolders,
    run_stand_in: Callable[..., "subprocess.Popen[bytes]"],
    free_address: EngineAddress,
) -> None:
    left = run_stand_in(free_address)
    record_process(folders.run, ProcessRecord("0123456789abcdef", left.pid, start_time(left.pid)))
    state = ready(supervise(is_installed=True))
    assert not is_alive(left.pid)
    assert state.pid not in (None, left.pid)


def test_a_listener_that_fails_and_a_state_that_cannot_be_written_stop_nothing(
    supervise: Supervise, folders: EngineFolders
) -> None:
    def fail(state: EngineState) -> None:
        raise RuntimeError("a listener's own fault")

    supervisor = supervise(is_installed=True, on_change=fail)
    ready(supervisor)
    (folders.run / "engine.json").unlink()
    (folders.run / "engine.json").mkdir()
    pid = supervisor.state.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    seen(supervisor, EngineStatus.FAILED)
    ready(supervisor)


def test_the_real_builtin_engine_is_started_found_and_ended(
    folders: EngineFolders, free_address: EngineAddress
) -> None:
    pytest.importorskip("xllamacpp")
    supervisor = EngineSupervisor(EngineWish(free_address, mode="builtin"), EngineLauncher(folders))
    supervisor.start()
    try:
        state = ready(supervisor)
        assert probe(free_address).is_builtin
    finally:
        supervisor.stop()
    assert state.pid is not None
    assert not is_alive(state.pid)


def test_stopping_what_was_never_started_is_no_error(folders: EngineFolders) -> None:
    EngineSupervisor(EngineWish(), EngineLauncher(folders)).stop()


def test_the_published_file_has_the_fields_that_others_read(supervise: Supervise, folders: EngineFolders) -> None:
    ready(supervise(is_installed=True))
    published = json.loads((folders.run / "engine.json").read_text())
    names = ["state", "engine", "version", "host", "port", "pid", "why", "retry_at", "owner_pid", "updated_at"]
    assert list(published) == names
    assert published["state"] == "running"
    assert published["owner_pid"] == os.getpid()
