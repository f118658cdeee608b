"""Imports that are cancelled, killed, tried again, deleted and watched."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress

import orjson
import pytest
import requests
from conftest import TOKEN, start_server, stop_server
from live.processes import children_of, command_of, find_child, is_alive, wait_until_gone
from simple_websocket import Client, ConnectionClosed

from .conftest import ImportClient
from .leftovers import leftovers

pytestmark = pytest.mark.usefixtures("empty_server")


def events_of(imports, model_id: str) -> list[dict]:
    return imports.status(model_id)["events"]


def wait_for_stage(imports, model_id: str, stage: str) -> None:
    deadline = time.monotonic() + 30
    while (status := imports.status(model_id))["stage"] != stage:
        assert time.monotonic() < deadline, status
        time.sleep(0.01)


@pytest.fixture
def paused(import_server):
    """Stop the worker's process for the block, so that a test may act before it does."""
    worker = find_child(import_server.process.pid, "premrunner worker")
    os.kill(worker, signal.SIGSTOP)
    yield worker
    if is_alive(worker):
        os.kill(worker, signal.SIGCONT)


def test_progress_is_told_stage_by_stage_and_nothing_is_lost(imports, starter_zip):
    model_id = imports.upload(starter_zip, "Told")
    assert imports.wait(model_id)["status"] == "ready"
    events = events_of(imports, model_id)
    stages = list(dict.fromkeys(event["stage"] for event in events if event["stage"]))
    assert stages == ["check", "unpack", "identify", "create", "prove"]
    numbers = [event["number"] for event in events]
    assert numbers == sorted(set(numbers))
    moving = [event for event in events if event["doneBytes"]]
    assert moving
    assert all(event["doneBytes"] <= event["totalBytes"] and event["percent"] <= 100 for event in moving)
    imports.delete(model_id)


def test_models_wait_in_order_with_their_place_shown(imports, paused, starter_gguf):
    ids = [imports.upload(starter_gguf, f"Waiting {number}") for number in range(3)]
    assert [imports.status(model_id)["place"] for model_id in ids] == [0, 1, 2]
    for model_id in ids[1:]:
        imports.server.post(f"/v1/models/{model_id}/cancel")
        assert imports.status(model_id)["status"] == "cancelled"  # Nobody was at it, so at once.
    os.kill(paused, signal.SIGCONT)
    assert imports.wait(ids[0])["status"] == "ready"
    for model_id in ids:
        assert imports.delete(model_id).status_code == 200
    assert leftovers(imports.server.data_path) == []


@pytest.mark.parametrize("stage", ["unpack", "create", "prove"])
def test_cancel_stops_a_stage_within_a_second_and_retry_goes_on(imports, starter_zip, stage):
    model_id = imports.upload(starter_zip, f"Cancelled at {stage}")
    wait_for_stage(imports, model_id, stage)
    begun = time.monotonic()
    answer = imports.server.post(f"/v1/models/{model_id}/cancel")
    status = imports.wait(model_id)
    if status["status"] == "ready":  # It was faster than we.
        pytest.skip("the stage was over")
    assert answer.status_code == 200
    assert status["status"] == "cancelled"
    assert time.monotonic() - begun < 2.5  # A second, and what a full machine adds.
    left = leftovers(imports.server.data_path)
    assert all(path.startswith("uploads/") for path in left), left
    if stage == "create":  # Once is enough: the path of a retry is the same for all.
        assert imports.server.post(f"/v1/models/{model_id}/retry").status_code == 200
        assert imports.wait(model_id)["status"] == "ready"
    imports.delete(model_id)


def test_a_killed_worker_is_started_again_and_its_import_goes_on_once(imports, import_server, starter_zip):
    model_id = imports.upload(starter_zip, "Killed")
    wait_for_stage(imports, model_id, "prove")
    worker = find_child(import_server.process.pid, "premrunner worker")
    os.kill(worker, signal.SIGKILL)
    status = imports.wait(model_id)
    assert status["status"] == "ready", status
    assert find_child(import_server.process.pid, "premrunner worker") != worker
    # What was done before the kill was not done again.
    begun = [event["stage"] for event in status["events"] if event["percent"] == 0 and event["doneBytes"] == 0]
    assert begun.count("unpack") == 1
    assert imports.listed() == {"killed": "user"}
    imports.delete(model_id)
    assert leftovers(import_server.data_path) == []


def test_a_killed_engine_comes_back_and_the_import_goes_on(imports, import_server, starter_gguf):
    model_id = imports.upload(starter_gguf, "Survivor")
    wait_for_stage(imports, model_id, "prove")
    os.kill(find_child(import_server.process.pid, "premrunner.builtin "), signal.SIGKILL)
    status = imports.wait(model_id)
    assert status["status"] == "ready", status
    imports.delete(model_id)


def test_a_model_deleted_in_the_middle_of_its_import_is_gone(imports, import_server, starter_zip):
    model_id = imports.upload(starter_zip, "Deleted")
    wait_for_stage(imports, model_id, "unpack")
    answer = imports.delete(model_id)
    assert answer.status_code == 200, answer.text
    assert answer.json()["freedBytes"] > 0
    assert imports.server.get(f"/v1/models/{model_id}/status").status_code == 404
    assert leftovers(import_server.data_path) == []


def test_two_models_of_one_name_get_two_aliases_and_a_copy_a_third(imports, starter_gguf):
    first, second = imports.upload(starter_gguf, "Twin"), imports.upload(starter_gguf, "Twin")
    assert [imports.wait(model_id)["alias"] for model_id in (first, second)] == ["twin", "twin-2"]
    copy = imports.server.post(f"/v1/models/{first}/copy", {"name": "Twin"}).json()
    assert copy["alias"] == "twin-3"
    renamed = imports.server.patch(f"/v1/models/{first}", {"name": "Sea", "alias": "sea", "system": "Be brief."})
    assert (renamed.json()["name"], renamed.json()["alias"]) == ("Sea", "sea")
    assert imports.listed() == {"sea": "user", "twin-2": "user", "twin-3": "user"}
    assert imports.server.chat("Hi", model="sea", max_tokens=3).status_code == 200
    assert imports.delete(first).json()["freedBytes"] == 0  # The others use its bytes.
    assert imports.server.chat("Hi", model="twin-3", max_tokens=3).status_code == 200
    for model_id in (second, copy["id"]):
        imports.delete(model_id)
    assert leftovers(imports.server.data_path) == []


def test_a_failed_import_is_not_ready_and_a_hopeless_one_cannot_be_tried_again(imports, tmp_path):
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"<html>")
    model_id = imports.upload(path, "Bad")
    status = imports.wait(model_id)
    assert (status["status"], status["canRetry"]) == ("failed", False)
    assert imports.server.post(f"/v1/models/{model_id}/retry").status_code == 409
    assert imports.listed() == {}
    imports.delete(model_id)


def test_a_model_that_came_without_us_is_listed_and_deleted_only_when_asked(imports, starter_gguf):
    model_id = imports.upload(starter_gguf, "Ours")
    imports.wait(model_id)
    engine = imports.server.get("/api/ollama/status").json()["address"]
    requests.post(f"{engine}/api/copy", json={"source": "ours", "destination": "theirs"}, timeout=10)
    assert imports.listed() == {"ours": "user", "theirs": "engine"}
    assert imports.delete("theirs").status_code == 403
    assert imports.delete("theirs?foreign=true").status_code == 200
    requests.delete(f"{engine}/api/delete", json={"model": "ours"}, timeout=10)
    time.sleep(2.1)
    status = imports.status(model_id)
    assert (status["status"], status["imported"]) == ("failed", False)
    assert "deleted it there" in status["error"]["message"]
    imports.delete(model_id)


def test_options_shape_the_model_and_a_wrong_one_is_refused_at_once(imports, starter_gguf):
    model_id = imports.upload(starter_gguf, "Optional")
    imports.wait(model_id)
    changed = imports.server.patch(
        f"/v1/models/{model_id}", {"system": "Answer with one word.", "contextLength": 512, "parameters": {"seed": 1}}
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["options"]["parameters"] == {"seed": 1, "num_ctx": 512}
    assert imports.server.chat("What is the capital of France?", model="optional", max_tokens=8).status_code == 200
    refused = imports.server.post(f"/v1/models/{model_id}/retry", {"outputType": "q9_9"})
    assert refused.json()["error"]["param"] == "outputType"
    imports.delete(model_id)


def test_the_doctor_sees_what_is_wrong_and_cleans(tmp_path):
    work = tmp_path / "data" / "work" / "0123456789abcdef01234567"
    work.mkdir(parents=True)
    (work / "left").write_bytes(bytes(5_000_000))
    names = {"DATA_PATH": str(tmp_path / "data"), "PORT": "39999"}

    def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "premrunner", "doctor", *arguments]
        return subprocess.run(command, env=os.environ | names, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    assert "5.0 MB of an import that has ended" in doctor().stdout
    assert "5.0 MB came free" in doctor("--clean").stdout
    last = doctor()
    assert "There are none." in last.stdout
    assert "BAD  engine" in last.stdout
    assert not work.exists()


def socket_address(server, query: str = "") -> str:
    return f"{server.url.replace('http', 'ws')}/ws/progress{query}"


def test_the_socket_replays_what_a_page_missed_and_then_follows(imports, import_server, starter_gguf):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    model_id = imports.upload(starter_gguf, "Watched")
    imports.wait(model_id)
    seen = []
    with_replay = Client(socket_address(import_server, "?after=0"), headers=bearer)
    while not seen or seen[-1]["status"] != "ready" or seen[-1]["modelId"] != model_id:
        seen.append(orjson.loads(with_replay.receive(timeout=10)))
    assert [event["number"] for event in seen] == sorted({event["number"] for event in seen})
    after = seen[-1]["number"]
    imports.delete(model_id)
    second = imports.upload(starter_gguf, "Watched again")
    followed = [orjson.loads(with_replay.receive(timeout=10)) for _ in range(4)]
    with_replay.close()
    assert all(event["number"] > after and event["modelId"] == second for event in followed)
    assert followed[0]["status"] == "queued"
    imports.wait(second)
    imports.delete(second)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Origin": "http://evil.example"}])
def test_the_socket_is_closed_to_strangers_and_to_other_sites(import_server, headers):
    allowed = {"Authorization": f"Bearer {TOKEN}"} if "Origin" in headers else {}
    answer = requests.get(
        import_server.url + "/ws/progress",
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            **allowed,
            **headers,
        },
        timeout=10,
    )
    assert answer.status_code == (403 if "Origin" in headers else 401)


def test_the_terminal_client_imports_and_shows_the_answer(import_server, imports, starter_gguf, tmp_path):
    where = ["--url", import_server.url, "--token", TOKEN]
    done = subprocess.run(
        [sys.executable, "-m", "premrunner", "import", str(starter_gguf), "--name", "From a terminal", *where],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "Ready: call it as 'from-a-terminal'" in done.stdout
    assert "prove" in done.stdout
    listed = subprocess.run(
        [sys.executable, "-m", "premrunner", "models", *where], capture_output=True, text=True, timeout=30, cwd=tmp_path
    )
    assert "from-a-terminal" in listed.stdout
    imports.delete("from-a-terminal")


def test_the_end_of_the_server_waits_for_no_socket_and_no_import_and_a_killed_one_leaves_no_worker(
    tmp_path, starter_zip
):
    server = start_server(tmp_path / "data", PREMRUNNER_STARTER="none")
    imports = ImportClient(server)
    model_id = imports.upload(starter_zip, "Interrupted")
    connection = Client(socket_address(server), headers={"Authorization": f"Bearer {TOKEN}"})
    wait_for_stage(imports, model_id, "unpack")
    begun = time.monotonic()
    closed = threading.Event()

    def listen() -> None:
        try:
            while True:
                connection.receive()
        except ConnectionClosed:
            closed.set()

    threading.Thread(target=listen, daemon=True).start()
    assert stop_server(server) == 0
    assert time.monotonic() - begun < 12
    assert closed.wait(1)
    again = start_server(server.data_path, PREMRUNNER_STARTER="none")
    assert ImportClient(again).wait(model_id)["status"] == "ready"
    left = children_of(again.process.pid)
    again.process.kill()
    again.process.wait()
    wait_until_gone([pid for pid in left if "premrunner worker" in command_of(pid)], 10)
    for pid in left:  # The engine waits for its next owner, which does not come here.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with sqlite3.connect(server.data_path / "premrunner.db") as database:
        [(count,)] = database.execute("SELECT count(*) FROM models WHERE downloaded").fetchall()
    database.close()
    assert count == 1
    shutil.rmtree(server.data_path)
