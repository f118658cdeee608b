import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from premrunner.engine.address import EngineAddress
from premrunner.engine.supervision import process_table
from premrunner.engine.supervision.launch import EngineFolders, choose_address, engine_environment, ollama_command
from premrunner.engine.supervision.leftover import ProcessRecord, end_leftovers, record_process
from premrunner.engine.supervision.probe import probe
from premrunner.engine.supervision.process import EngineProcess, start_process
from premrunner.engine.supervision.process_log import ProcessLog, telling_line, without_paths
from premrunner.engine.supervision.process_table import start_time

from .waiting import is_alive, wait_until

Start = Callable[..., EngineProcess]


@pytest.fixture
def start(
    fake_ollama: Path, folders: EngineFolders, environment: dict[str, str], free_address: EngineAddress
) -> "Start":
    """Start the stand-in as an installed Ollama, with the words that it shall obey."""
    started: list[EngineProcess] = []

    def run(words: str = "", on_exit: Callable[[], None] = lambda: None) -> EngineProcess:
        variables = engine_environment({**environment, "STAND_IN": words}, free_address, home=folders.home)
        process = start_process(
            ollama_command(fake_ollama),
            variables,
            run_folder=folders.run,
            log=ProcessLog(folders.log_file),
            on_exit=on_exit,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()


def answers(address: EngineAddress) -> bool:
    return probe(address).state == "running"


def test_a_started_engine_answers_and_stops_when_asked(start: Start, free_address: EngineAddress) -> None:
    process = start()
    wait_until(lambda: answers(free_address))
    process.stop()
    assert not process.is_alive
    assert process.exit_code == 0
    assert not is_alive(process.pid)


def test_an_engine_that_ignores_sigterm_is_killed_after_its_grace(start: Start, free_address: EngineAddress) -> None:
    process = start("stubborn")
    wait_until(lambda: answers(free_address))
    process.stop(grace_seconds=0.2)
    assert process.exit_code == -signal.SIGKILL


@pytest.mark.parametrize("how", ["stop", "crash", "own-exit"])
@pytest.mark.parametrize("words", ["child", "child escape"])
def test_what_an_engine_started_ends_with_it(
    words: str, how: str, start: Start, children: Callable[[], list[int]], free_address: EngineAddress
) -> None:
    process = start(words)
    wait_until(lambda: answers(free_address))
    (child,) = children()
    assert is_alive(child)
    if how == "stop":
        process.stop()
    else:
        os.kill(process.pid, signal.SIGKILL if how == "crash" else signal.SIGTERM)
    wait_until(lambda: not process.is_alive)
    wait_until(lambda: not is_alive(child))


def test_the_end_is_told_once_and_at_once(start: Start, free_address: EngineAddress) -> None:
    ends: list[float] = []
    process = start(on_exit=lambda: ends.append(time.monotonic()))
    wait_until(lambda: answers(free_address))
    killed = time.monotonic()
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: ends)
    process.stop()
    assert len(ends) == 1
    assert ends[0] - killed < 1
    assert process.why_ended().startswith("killed by SIGKILL")


def test_why_it_ended_is_its_own_words_without_paths_of_this_machine(start: Start) -> None:
    process = start("refuse")
    wait_until(lambda: not process.is_alive)
    assert process.why_ended() == "exit code 1; it said: Error: open …/id_ed25519: permission denied"


def test_the_log_keeps_what_it_said_and_never_passes_its_bound(
    fake_ollama: Path, folders: EngineFolders, environment: dict[str, str], free_address: EngineAddress
) -> None:
    variables = engine_environment({**environment, "STAND_IN": "chatty refuse"}, free_address, home=folders.home)
    log = ProcessLog(folders.log_file, most_bytes=300_000)
    command = ollama_command(fake_ollama)
    process = start_process(command, variables, run_folder=folders.run, log=log, on_exit=lambda: None)
    wait_until(lambda: not process.is_alive)
    sizes = [path.stat().st_size for path in sorted(folders.log_file.parent.iterdir())]
    assert len(sizes) == 2
    assert max(sizes) <= 300_000
    assert "permission denied" in folders.log_file.read_text()


def test_a_log_that_cannot_be_written_does_not_hold_the_engine(
    start: Start, folders: EngineFolders, free_address: EngineAddress
) -> None:
    folders.log_file.parent.write_text("a file where the folder should be")
    start("chatty")
    wait_until(lambda: answers(free_address))


def test_a_program_that_cannot_be_started_leaves_no_record(folders: EngineFolders) -> None:
    with pytest.raises(OSError, match="No such file"):
        start_process(
            ["/no/such/program"], {}, run_folder=folders.run, log=ProcessLog(folders.log_file), on_exit=lambda: None
        )
    assert list(folders.run.iterdir()) == []


@pytest.mark.parametrize("words", ["child", "child stubborn"])
def test_a_new_owner_ends_what_a_killed_owner_left(
    words: str,
    folders: EngineFolders,
    fake_ollama: Path,
    environment: dict[str, str],
    children: Callable[[], list[int]],
    free_address: EngineAddress,
) -> None:
    engine = _engine_of_killed_owner(words, folders, fake_ollama, environment, free_address)
    (child,) = children()
    ended = end_leftovers(folders.run, grace_seconds=0.3)
    assert sorted(ended) == sorted([engine, child])
    wait_until(lambda: not is_alive(engine) and not is_alive(child))
    assert end_leftovers(folders.run) == []


def test_a_model_process_whose_engine_and_owner_were_killed_is_found(
    folders: EngineFolders,
    fake_ollama: Path,
    environment: dict[str, str],
    children: Callable[[], list[int]],
    free_address: EngineAddress,
) -> None:
    engine = _engine_of_killed_owner("child", folders, fake_ollama, environment, free_address)
    os.kill(engine, signal.SIGKILL)
    wait_until(lambda: not is_alive(engine))
    (child,) = children()
    assert end_leftovers(folders.run, grace_seconds=0.3) == [child]
    wait_until(lambda: not is_alive(child))


def test_a_process_that_only_has_the_recorded_number_is_left_alone(folders: EngineFolders) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record_process(folders.run, ProcessRecord("0123456789abcdef", stranger.pid, "some-boot/4711"))
        assert end_leftovers(folders.run) == []
        assert stranger.poll() is None
        stranger.kill()


def test_a_process_of_the_recorded_number_and_start_is_ended(folders: EngineFolders) -> None:
    with subprocess.Popen(["sleep", "60"]) as ours:
        record_process(folders.run, ProcessRecord("0123456789abcdef", ours.pid, start_time(ours.pid)))
        assert end_leftovers(folders.run) == [ours.pid]
        assert ours.wait(5) == -signal.SIGTERM


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"mark": "", "pid": 1, "started": null}', '{"mark":"x","pid":-1,"started":""}']
)
def test_a_damaged_record_ends_nothing(text: str, folders: EngineFolders) -> None:
    (folders.run / "engine-process.json").write_text(text)
    assert end_leftovers(folders.run) == []


def test_a_start_time_tells_processes_apart_and_outlives_none() -> None:
    assert start_time(os.getpid()) == start_time(os.getpid())
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert start_time(process.pid) is None


def test_the_process_table_of_macos_tells_processes_apart_too() -> None:
    """Its questions about a start are understood by Linux's ps as well."""
    with subprocess.Popen(["sleep", "60"]) as process:
        first = process_table._start_time_ps(process.pid)
        assert first is not None
        assert first == process_table._start_time_ps(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process_table._start_time_ps(process.pid) is None
    assert process_table._start_time_ps(process.pid) is None


def test_the_environment_names_the_address_forbids_the_cloud_and_keeps_our_secrets(tmp_path: Path) -> None:
    inherited = {"HOME": str(tmp_path), "AUTH_TOKEN": "secret-token", "DATABASE_URL": "x", "OLLAMA_DEBUG": "1"}
    made = engine_environment(inherited, EngineAddress("::1", 5), home=tmp_path / "home")
    assert made == {"HOME": str(tmp_path), "OLLAMA_DEBUG": "1", "OLLAMA_HOST": "[::1]:5", "OLLAMA_NO_CLOUD": "1"}


@pytest.mark.parametrize("inherited", [{}, {"HOME": "/nonexistent"}, {"HOME": ""}])
def test_an_account_without_a_home_gets_one(
    inherited: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert engine_environment(inherited, EngineAddress(), home=tmp_path)["HOME"] == str(tmp_path)


def test_a_models_folder_that_the_user_set_is_kept(tmp_path: Path) -> None:
    chosen = engine_environment({"OLLAMA_MODELS": "/mnt"}, EngineAddress(), home=tmp_path, models=tmp_path)
    assert chosen["OLLAMA_MODELS"] == "/mnt"
    assert engine_environment({}, EngineAddress(), home=tmp_path, models=tmp_path)["OLLAMA_MODELS"] == str(tmp_path)


def test_a_free_port_is_preferred_and_a_taken_one_avoided(
    free_address: EngineAddress, run_stand_in: Callable[..., object]
) -> None:
    assert choose_address([free_address]) == free_address
    run_stand_in(free_address)
    chosen = choose_address([free_address])
    assert chosen.is_loopback
    assert chosen.port != free_address.port


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([], ""),
        (["one", "two"], "two"),
        (["panic: out of range", "", "goroutine 1 [running]:", "main.main()"], "panic: out of range"),
        (["level=ERROR first", "Error: second", "bye"], "Error: second"),
    ],
)
def test_the_line_that_names_the_error_is_chosen(lines: list[str], line: str) -> None:
    assert telling_line(lines) == line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("open /home/ada/.ollama/models: denied", "open …/models: denied"),
        ('exec "/usr/local/bin/ollama"', 'exec "…/ollama"'),
        ("GET http://127.0.0.1:11434/api/tags failed", "GET http://127.0.0.1:11434/api/tags failed"),
        ("tensor 3/4 of a/b", "tensor 3/4 of a/b"),
        ("models=/srv/data/x source=app.go:12", "models=…/x source=app.go:12"),
    ],
)
def test_paths_of_this_machine_are_shortened(text: str, shown: str) -> None:
    assert without_paths(text) == shown


_OWNER = """
import os, sys
from pathlib import Path
from premrunner.engine.supervision.process import start_process
from premrunner.engine.supervision.process_log import ProcessLog
run, log, program = map(Path, sys.argv[1:4])
process = start_process([program, "serve"], os.environ, run_folder=run, log=ProcessLog(log), on_exit=lambda: None)
print(process.pid, flush=True)
sys.stdin.read()
"""


def _engine_of_killed_owner(
    words: str, folders: EngineFolders, program: Path, environment: dict[str, str], address: EngineAddress
) -> int:
    """Let another process start an engine, kill that process, and return the engine's number."""
    variables = engine_environment({**environment, "STAND_IN": words}, address, home=folders.home)
    command = [sys.executable, "-c", _OWNER, str(folders.run), str(folders.log_file), str(program)]
    with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        engine = int(owner.stdout.readline())
        wait_until(lambda: answers(address))
        owner.kill()
    return engine
