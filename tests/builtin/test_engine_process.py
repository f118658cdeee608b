"""The engine as a process: its start, its end, and what a crash of one part does to the others."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import BUSY_SECONDS

from builtin.conftest import MODEL
from builtin.running import CAPITAL, STORY, children, eventually, is_running

PARIS = "The capital of France is Paris."
# An answer that cannot end by itself.
ENDLESS = {
    "model": MODEL,
    "messages": STORY,
    "format": {"type": "array", "items": {"type": "string", "minLength": 20}, "minItems": 1000},
    "options": {"temperature": 0},
}


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "premrunner.builtin", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_the_engine_answers_soon_after_its_start(start):
    started_at = time.monotonic()
    start().wait_until_ready()
    assert time.monotonic() - started_at < 1 + BUSY_SECONDS


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.com", "::"])
def test_it_listens_on_loopback_only(host, tmp_path):
    ended = run("--host", host, "--store", str(tmp_path))
    assert ended.returncode == 1
    assert "loopback only" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_engine_on_a_store_says_so_and_leaves(start, free_port):
    first = start().wait_until_ready()
    ended = run("--port", str(free_port), "--store", str(first.store))
    assert ended.returncode == 1
    assert "in use by another engine" in ended.stderr
    assert first.get("/").ok


def test_a_taken_port_is_said_plainly(start, tmp_path):
    first = start().wait_until_ready()
    ended = run("--port", first.url.rpartition(":")[2], "--store", str(tmp_path / "other"))
    assert ended.returncode == 1
    assert "address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_within_seconds_in_the_middle_of_an_answer(start_with_model, sign):
    engine = start_with_model()
    lines = engine.stream("/api/chat", ENDLESS)
    next(lines)
    models = engine.model_processes()
    assert len(models) == 1
    sent_at = time.monotonic()
    engine.process.send_signal(sign)
    assert engine.process.wait(10) == 0
    assert time.monotonic() - sent_at < 3 + BUSY_SECONDS
    eventually(lambda: not any(map(is_running, models)))
    with pytest.raises(Exception):  # noqa: B017, PT011  # How a connection that is cut looks depends on the moment.
        assert list(lines)[-1]["done"]


def test_a_killed_engine_leaves_no_model_behind(start_with_model):
    engine = start_with_model()
    engine.chat(MODEL)
    (worker,) = children(engine.process.pid)
    (model,) = engine.model_processes()
    engine.process.kill()
    engine.process.wait()
    eventually(lambda: not is_running(worker) and not is_running(model))


def test_a_killed_worker_takes_its_models_along_and_is_replaced(start_with_model):
    engine = start_with_model()
    engine.chat(MODEL)
    (worker,) = children(engine.process.pid)
    (model,) = engine.model_processes()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not is_running(model))
    engine.session.close()
    engine.wait_until_ready()
    assert engine.chat(MODEL)["message"]["content"] == PARIS


def test_a_model_killed_in_the_middle_of_an_answer_ends_it_with_an_error_and_is_loaded_again(engine):
    engine.unload_all()
    lines = engine.stream("/api/chat", ENDLESS)
    assert next(lines)["done"] is False
    (model,) = engine.model_processes()
    os.kill(model, signal.SIGKILL)
    *_, last = lines
    assert last == {"error": "an error was encountered while running the model: unexpected EOF"}
    assert engine.chat(MODEL)["message"]["content"] == PARIS


def test_a_model_killed_before_its_first_word_gives_a_status(engine):
    engine.unload_all()
    engine.chat(MODEL)
    (model,) = engine.model_processes()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(engine.post, "/api/chat", {**ENDLESS, "stream": False})
        time.sleep(0.3)
        os.kill(model, signal.SIGKILL)
        response = answer.result(30)
    assert response.status_code == 500
    assert "unexpected EOF" in response.json()["error"]


def test_a_model_that_is_idle_when_killed_is_not_listed_and_is_loaded_again(engine):
    engine.unload_all()
    engine.chat(MODEL)
    (model,) = engine.model_processes()
    os.kill(model, signal.SIGKILL)
    eventually(lambda: MODEL not in engine.loaded())
    assert engine.chat(MODEL)["message"]["content"] == PARIS


def test_a_client_that_leaves_a_silent_answer_frees_the_model(start_with_model):
    engine = start_with_model("--parallel", "1")
    engine.chat(MODEL)
    whole = {**ENDLESS, "stream": False}
    with pytest.raises(OSError):  # noqa: PT011
        engine.session.post(engine.url + "/api/chat", json=whole, timeout=0.5)
    left_at = time.monotonic()
    engine.chat(MODEL, options={"num_predict": 1, "temperature": 0})
    assert time.monotonic() - left_at < 1 + BUSY_SECONDS


def test_a_client_that_leaves_during_the_load_ends_the_load(start_with_model):
    engine = start_with_model()
    with pytest.raises(OSError):  # noqa: PT011
        engine.session.post(engine.url + "/api/chat", json={**ENDLESS, "stream": False}, timeout=0.1)
    eventually(lambda: not engine.model_processes())
    assert engine.loaded() == {}


def test_sixteen_chats_at_once_are_all_answered(engine):
    engine.chat(MODEL)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: engine.chat(MODEL), range(16)))
    assert [answer["message"]["content"] for answer in answers] == [PARIS] * 16


def test_requests_past_the_queue_are_told_to_come_back(start_with_model):
    engine = start_with_model("--parallel", "1", "--max-queue", "2")
    engine.chat(MODEL)
    lines = [engine.stream("/api/chat", ENDLESS)]
    next(lines[0])
    waiting = [threading.Thread(target=lambda: engine.chat(MODEL)) for _ in range(2)]
    for thread in waiting:
        thread.start()
    time.sleep(0.5)
    refused = engine.post("/api/chat", {"model": MODEL, "messages": CAPITAL})
    lines[0].close()
    for thread in waiting:
        thread.join()
    assert refused.status_code == 503
    assert refused.json()["error"] == "server busy, please try again.  maximum pending requests exceeded"


def test_the_least_recently_used_model_makes_room(start_with_model):
    engine = start_with_model("--max-loaded-models", "2")
    template = engine.post("/api/show", {"model": MODEL}).json()["template"]
    for name in ("a", "b", "c"):  # Another template makes another runner.
        engine.create(name, **{"from": MODEL}, template=template + "{# " + name + " #}")
    one_token = {"num_predict": 1}
    for name in ("a", "b", "a", "c"):
        engine.chat(name, options=one_token)
    assert engine.loaded().keys() == {"a:latest", "c:latest"}
    assert len(engine.model_processes()) == 2


def test_a_model_that_answers_is_not_evicted_but_waited_for(start_with_model):
    engine = start_with_model("--max-loaded-models", "1")
    template = engine.post("/api/show", {"model": MODEL}).json()["template"]
    engine.create("other", **{"from": MODEL}, template=template + "{# other #}")
    lines = engine.stream("/api/chat", {"model": MODEL, "messages": STORY, "options": {"num_predict": 40}})
    next(lines)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(engine.chat, "other")
        assert list(lines)[-1]["done_reason"] == "length"
        assert answer.result(60)["message"]["content"] == PARIS
    assert engine.loaded().keys() == {"other:latest"}


def test_models_made_of_one_file_share_one_process(engine):
    engine.unload_all()
    engine.create("twin", **{"from": MODEL}, system="You are a pirate.")
    engine.chat(MODEL, options={"num_predict": 1})
    engine.chat("twin", options={"num_predict": 1})
    assert len(engine.model_processes()) == 1
    engine.delete("twin")


def test_a_deleted_model_is_unloaded(start_with_model):
    engine = start_with_model()
    engine.chat(MODEL, options={"num_predict": 1})
    assert engine.delete(MODEL).status_code == 200
    assert engine.model_processes() == []
    assert engine.get("/api/tags").json() == {"models": []}
    assert list((engine.store / "blobs").iterdir()) == []


def test_models_are_there_after_a_restart(start_with_model, start):
    engine = start_with_model()
    assert engine.stop() == 0
    again = start(store=engine.store).wait_until_ready()
    assert again.chat(MODEL)["message"]["content"] == PARIS
