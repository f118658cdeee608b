import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from premrunner.engine.address import EngineAddress
from premrunner.engine.ownership import claim, is_owned
from premrunner.engine.state import EngineState, EngineStatus, read_state, request_start, take_request, write_state
from premrunner.errors import EngineOwned, StorageFailed

RUNNING = EngineState(
    EngineStatus.RUNNING, "ollama", "0.34.1", "127.0.0.1", 11434, pid=77, owner_pid=os.getpid(), updated_at=1.5
)


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Path]:
    ownership = claim(tmp_path)
    yield tmp_path
    ownership.release()


def test_a_state_is_read_as_it_was_written(owned: Path) -> None:
    write_state(owned, RUNNING)
    assert read_state(owned) == RUNNING
    assert read_state(owned).address == EngineAddress()


def test_a_state_without_a_living_owner_is_stopped_and_says_what_to_do(tmp_path: Path) -> None:
    write_state(tmp_path, RUNNING)
    found = read_state(tmp_path)
    assert found.state is EngineStatus.STOPPED
    assert "premrunner serve" in found.why


def test_a_state_whose_owner_was_killed_is_stopped(tmp_path: Path) -> None:
    code = (
        f"from premrunner.engine.ownership import claim; from pathlib import Path; o = claim(Path({str(tmp_path)!r}))"
    )
    command = [sys.executable, "-c", f"{code}; print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        write_state(tmp_path, RUNNING)
        assert read_state(tmp_path).state is EngineStatus.RUNNING
        with pytest.raises(EngineOwned) as refused:
            claim(tmp_path)
        assert refused.value.owner_pid == owner.pid
        os.kill(owner.pid, signal.SIGKILL)
    assert read_state(tmp_path).state is EngineStatus.STOPPED


def test_a_folder_that_does_not_exist_is_stopped(tmp_path: Path) -> None:
    assert read_state(tmp_path / "missing").state is EngineStatus.STOPPED


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "[" * 100_000, '{"state": "flying"}', '{"state": ["running"]}', "{}", "\xff\xfe"]
)
def test_a_damaged_state_of_a_living_owner_is_starting(text: str, owned: Path) -> None:
    (owned / "engine.json").write_text(text, encoding="latin-1")
    assert read_state(owned).state is EngineStatus.STARTING


def test_fields_of_a_wrong_type_are_left_out(owned: Path) -> None:
    (owned / "engine.json").write_text(
        '{"state": "running", "port": "11434", "pid": true, "host": 7, "updated_at": "x"}'
    )
    assert read_state(owned) == EngineState(EngineStatus.RUNNING)


def test_an_owner_is_known_while_it_lives_and_not_after(tmp_path: Path) -> None:
    assert not is_owned(tmp_path)
    ownership = claim(tmp_path)
    assert is_owned(tmp_path)
    with pytest.raises(EngineOwned, match=str(os.getpid())):
        claim(tmp_path)
    ownership.release()
    assert not is_owned(tmp_path)
    claim(tmp_path).release()


def test_a_reader_that_looks_at_the_lock_does_not_keep_an_owner_out(tmp_path: Path) -> None:
    claim(tmp_path).release()
    code = (
        "import sys, time; from pathlib import Path; from premrunner.engine.ownership import is_owned\n"
        "print(flush=True)\nwhile True: is_owned(Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        for _ in range(50):
            claim(tmp_path).release()
        reader.kill()


def test_a_folder_that_cannot_be_made_is_reported_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed) as refused:
        claim(tmp_path / "file" / "run")
    assert str(tmp_path) not in refused.value.message


def test_a_request_is_taken_once(tmp_path: Path) -> None:
    assert not take_request(tmp_path)
    request_start(tmp_path)
    request_start(tmp_path)
    assert take_request(tmp_path)
    assert not take_request(tmp_path)


def test_a_request_to_nobody_is_no_error(tmp_path: Path) -> None:
    request_start(tmp_path / "missing")


def test_reading_is_cheap_enough_for_every_request(owned: Path) -> None:
    write_state(owned, RUNNING)
    started = time.perf_counter()
    for _ in range(200):
        read_state(owned)
    assert (time.perf_counter() - started) / 200 < 0.001
