"""``premrunner serve`` from start to end, and what survives when parts of it are killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from conftest import TOKEN, LiveServer, find_free_port, start_server, stop_server
from processes import children_of, command_of, find_child, wait_until_gone

LONG_STORY = "Write a very long story about a lighthouse keeper."


@pytest.fixture(scope="module")
def data_path(tmp_path_factory):
    """A data folder with the starter model, used by one server after the other."""
    return tmp_path_factory.mktemp("serve") / "data"


@pytest.fixture
def server(data_path):
    server = start_server(data_path)
    server.wait_for_model()
    yield server
    if server.process.poll() is None:
        stop_server(server)


def begin_story(server: LiveServer) -> tuple[Iterator[bytes], str]:
    """Start a long stream; return its coming lines and its trace's id once it has said something."""
    lines = server.chat(LONG_STORY, stream=True, max_tokens=3000).iter_lines()
    first = json.loads(next(lines)[6:])
    for _ in range(6):
        next(lines)
    return lines, first["id"].removeprefix("chatcmpl-")


def rest_of(lines: Iterator[bytes]) -> list[dict]:
    return [json.loads(line[6:]) for line in lines if line and line != b"data: [DONE]"]


def run_serve(data_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    names = {"DATA_PATH": str(data_path), "PORT": str(find_free_port()), "PREMRUNNER_ENGINE": "builtin"}
    return subprocess.run(
        [sys.executable, "-m", "premrunner", "serve"],
        env=os.environ | names | environment,
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_sigterm_ends_everything_it_started(server):
    server.chat("Hi", max_tokens=1)
    pids = [server.process.pid, *children_of(server.process.pid)]
    assert len(pids) >= 5  # Ours, gunicorn and its worker, the engine and its model.
    assert stop_server(server) == 0
    wait_until_gone(pids, 1)


def test_a_stream_at_the_end_does_not_hold_it_up_and_its_trace_tells(server):
    lines, trace_id = begin_story(server)
    begun = time.monotonic()
    server.process.terminate()
    *_, last = rest_of(lines)
    assert last["error"]["code"] == "server_ending"
    assert server.process.wait(20) == 0
    assert time.monotonic() - begun < 15
    again = start_server(server.data_path)
    trace = again.get(f"/v1/traces/{trace_id}").json()
    stop_server(again)
    assert trace["status"] == "interrupted"
    assert trace["output"]


def test_a_killed_server_leaves_nothing_running_and_its_trace_says_interrupted(server):
    _lines, trace_id = begin_story(server)
    pids = children_of(server.process.pid)
    web = [pid for pid in pids if "gunicorn" in command_of(pid)]
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(10)
    wait_until_gone(web)
    again = start_server(server.data_path)
    again.wait_for_model()
    wait_until_gone([pid for pid in pids if pid not in web])
    assert again.get(f"/v1/traces/{trace_id}").json()["status"] == "interrupted"
    assert again.chat("Hi", max_tokens=2).status_code == 200
    stop_server(again)


def test_a_killed_model_ends_its_answer_clearly_and_the_next_one_works(server):
    lines, trace_id = begin_story(server)
    os.kill(find_child(server.process.pid, "model_process"), signal.SIGKILL)
    *_, last = rest_of(lines)
    assert last["error"]["message"]
    assert server.get(f"/v1/traces/{trace_id}").json()["status"] == "error"
    assert server.chat("Hi", max_tokens=2).status_code == 200


def test_a_killed_engine_ends_its_answer_clearly_and_comes_back(server):
    lines, trace_id = begin_story(server)
    engine = find_child(server.process.pid, "premrunner.builtin ")
    model = find_child(server.process.pid, "model_process")
    os.kill(engine, signal.SIGKILL)
    *_, last = rest_of(lines)
    assert last["error"]["code"] in ("engine_lost", "engine_error")
    trace = server.get(f"/v1/traces/{trace_id}").json()
    assert (trace["status"], bool(trace["error"])) == ("error", True)
    deadline = time.monotonic() + 30
    while (answer := server.chat("Hi", max_tokens=2)).status_code != 200:
        assert answer.status_code in (502, 503)
        assert time.monotonic() < deadline
        time.sleep(0.2)
    wait_until_gone([model])


def test_a_killed_web_worker_comes_back_and_its_calls_are_settled(server):
    lines, trace_id = begin_story(server)
    os.kill(find_child(server.process.pid, "gunicorn"), signal.SIGKILL)
    with pytest.raises(requests.RequestException):
        rest_of(lines)
    deadline = time.monotonic() + 30
    while True:
        try:
            if server.get(f"/v1/traces/{trace_id}").json()["status"] == "interrupted":
                break
        except requests.ConnectionError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_two_servers_on_one_folder_do_not_happen(server):
    second = run_serve(server.data_path)
    assert second.returncode == 1
    assert "already runs" in second.stderr
    assert server.chat("Hi", max_tokens=1).status_code == 200


def test_a_port_that_is_taken_is_named(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        result = run_serve(tmp_path / "data", PORT=str(port))
    assert result.returncode == 1
    assert f"127.0.0.1:{port} cannot be used" in result.stderr
    assert "--port" in result.stderr


def test_wrong_settings_are_all_named_with_exit_code_2(tmp_path):
    result = run_serve(tmp_path / "data", PORT="none", AUTH_TOKEN="short", PREMRUNNER_STARTER="maybe")
    assert result.returncode == 2
    assert [line.split()[0] for line in result.stderr.splitlines()] == ["AUTH_TOKEN", "PORT", "PREMRUNNER_STARTER"]


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    result = run_serve(tmp_path / "file" / "data")
    assert result.returncode == 1
    assert "DATA_PATH cannot be written" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_engine_that_never_starts_is_reported_and_the_site_stays_usable(tmp_path):
    data_path = tmp_path / "data"
    (data_path / "engine").mkdir(parents=True)
    (data_path / "engine" / "builtin").touch()  # A file where the engine's store should be.
    server = start_server(data_path)
    try:
        deadline = time.monotonic() + 30
        while not (status := server.get("/api/ollama/status").json())["why"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert status["status"] == "stopped"
        answer = server.chat("Hi")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert str(tmp_path) not in answer.text
        assert server.get("/v1/models").json()["data"] == []
    finally:
        stop_server(server)


def test_another_program_on_ollamas_port_is_told_apart(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        other.listen()
        port = other.getsockname()[1]
        server = start_server(tmp_path / "data", PREMRUNNER_ENGINE="ollama", OLLAMA_HOST=f"127.0.0.1:{port}")
        try:
            deadline = time.monotonic() + 20
            while not (status := server.get("/api/ollama/status").json())["why"]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert status["status"] == "stopped"
            assert status["state"] in ("starting", "wrong_program", "failed")
        finally:
            stop_server(server)


def test_gunicorn_alone_serves_with_an_engine_of_its_own(data_path):
    port = find_free_port()
    names = {"DATA_PATH": str(data_path), "PORT": str(port), "AUTH_TOKEN": TOKEN, "PREMRUNNER_ENGINE": "builtin"}
    root = Path(__file__).parent.parent.parent
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "wsgi:app"],
        env=os.environ | names,
        cwd=root,
    )
    server = LiveServer(f"http://127.0.0.1:{port}", TOKEN, data_path, process)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                if server.chat("Hi", max_tokens=1).status_code == 200:
                    break
            except requests.ConnectionError:
                pass
            assert time.monotonic() < deadline
            time.sleep(0.2)
        pids = [process.pid, *children_of(process.pid)]
    finally:
        assert stop_server(server) == 0
    wait_until_gone(pids, 10)


def test_a_wheel_carries_migrations_templates_and_gunicorns_settings(tmp_path):
    import zipfile

    root = Path(__file__).parent.parent.parent
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=root,
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "premrunner/migrations/env.py" in names
    assert any(name.startswith("premrunner/migrations/versions/0001") for name in names)
    assert "premrunner/deploy/gunicorn.conf.py" in names
    assert any(name.startswith("premrunner/web/templates/") for name in names)


def test_without_the_internet_the_site_runs_and_hints_at_what_to_do(tmp_path):
    server = start_server(tmp_path / "data", PIP_NO_INDEX="1", PIP_CACHE_DIR=str(tmp_path / "cache"))
    try:
        state = server.data_path / "run" / "starter.json"
        deadline = time.monotonic() + 60
        while not state.exists() or json.loads(state.read_text())["stage"] != "failed":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert "offline" in json.loads(state.read_text())["message"]
        assert server.get("/v1/models").json()["data"] == []
        assert server.chat("Hi").status_code == 404
        assert not list((server.data_path / "downloads").iterdir())
    finally:
        stop_server(server)
