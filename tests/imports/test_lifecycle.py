"""Imports that are cancelled, killed, tried again, deleted and watched."""

import os
import signal
import subprocess
import sys
import time
import zipfile

import pytest
import requests
from conftest import TOKEN
from live.processes import find_child, is_alive

from .conftest import zip_of
from .leftovers import leftovers

pytestmark = pytest.mark.usefixtures("empty_server")


def events_of(imports, model_id: str) -> list[dict]:
    return imports.status(model_id)["events"]


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
    (proof,) = imports.server.get("/v1/traces?model=told").json()["traces"]
    assert (proof["endpoint"], proof["status"]) == ("import", "ok")
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
        imports.delete(model_id)
    assert leftovers(imports.server.data_path) == []


def test_a_cancelled_import_leaves_only_what_was_uploaded_and_another_try_succeeds(imports, starter_zip):
    """How fast, and in which stage, is in ``test_cancel.py``."""
    model_id = imports.upload(starter_zip, "Cancelled")
    imports.wait_for_stage(model_id, "unpack")
    assert imports.server.post(f"/v1/models/{model_id}/cancel").status_code == 200
    assert imports.wait(model_id)["status"] == "cancelled"
    assert [path for path in leftovers(imports.server.data_path) if not path.startswith("uploads/")] == []
    assert imports.server.post(f"/v1/models/{model_id}/cancel").status_code == 409
    assert imports.server.post(f"/v1/models/{model_id}/retry").status_code == 200
    assert imports.wait(model_id)["status"] == "ready"
    imports.delete(model_id)


def test_a_killed_worker_is_started_again_and_its_import_goes_on_once(imports, import_server, starter_zip):
    model_id = imports.upload(starter_zip, "Killed")
    imports.wait_for_stage(model_id, "prove")
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
    imports.wait_for_stage(model_id, "prove")
    os.kill(find_child(import_server.process.pid, "premrunner.builtin "), signal.SIGKILL)
    status = imports.wait(model_id)
    assert status["status"] == "ready", status
    imports.delete(model_id)


def test_a_model_deleted_in_the_middle_of_its_import_is_gone(imports, import_server, starter_zip):
    model_id = imports.upload(starter_zip, "Deleted")
    imports.wait_for_stage(model_id, "unpack")
    assert imports.delete(model_id)["freedBytes"] > 0
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
    assert imports.delete(first)["freedBytes"] == 0  # The others use its bytes.
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
    assert imports.server.delete("/v1/models/theirs").status_code == 403
    imports.delete("theirs?foreign=true")
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


@pytest.mark.parametrize("form", ["gguf", "stored", "deflated"])
def test_the_terminal_client_imports_and_shows_the_answer(
    import_server, imports, starter_gguf, starter_zip, tmp_path, form
):
    path = starter_zip if form == "deflated" else starter_gguf
    if form == "stored":
        path = zip_of(tmp_path / "model.zip", {"model.gguf": starter_gguf}, zipfile.ZIP_STORED)
    where = ["--url", import_server.url, "--token", TOKEN]
    done = subprocess.run(
        [sys.executable, "-m", "premrunner", "import", str(path), "--name", "From a terminal", *where],
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
    again = subprocess.run(
        [sys.executable, "-m", "premrunner", "import", str(path), *where],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert again.returncode == 0, again.stderr
    assert "It is here already, as 'from-a-terminal'." in again.stdout
    assert "Ready: call it as 'from-a-terminal'" in again.stdout
    imports.delete("from-a-terminal")
    assert leftovers(import_server.data_path) == []
