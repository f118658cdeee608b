"""A client that leaves frees a silent engine; a full queue says so."""

import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import BUSY_SECONDS, find_free_port, start_server, stop_server

# The server looks ten times a second.
SOON_SECONDS = 0.1 + BUSY_SECONDS
QUEUE_SECONDS = 2


@pytest.fixture(scope="module")
def silent(tmp_path_factory):
    """A server whose engine is silent, and that engine's process."""
    port = find_free_port()
    script = Path(__file__).with_name("silent_engine.py")
    engine = subprocess.Popen([sys.executable, str(script), str(port)], stdout=subprocess.PIPE, text=True)
    server = start_server(
        tmp_path_factory.mktemp("silent") / "data",
        PREMRUNNER_ENGINE="ollama",
        OLLAMA_HOST=f"127.0.0.1:{port}",
        PREMRUNNER_STARTER="none",
        MODEL_CONCURRENCY="2",
        MODEL_QUEUE="1",
        QUEUE_SECONDS=str(QUEUE_SECONDS),
    )
    while server.get("/api/ollama/status").json()["status"] != "running":
        time.sleep(0.1)
    yield server, engine
    stop_server(server)
    engine.kill()
    engine.communicate()


def ask(server, *, stream: bool) -> socket.socket:
    body = json.dumps({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]})
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {server.token}\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return connection


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_an_engine_that_has_not_said_a_word(silent, stream):
    server, engine = silent
    connection = ask(server, stream=stream)
    assert engine.stdout.readline() == "asked\n"
    left_at = time.monotonic()
    connection.close()
    assert engine.stdout.readline() == "left\n"
    assert time.monotonic() - left_at < SOON_SECONDS
    assert server.get("/v1/traces?limit=1").json()["traces"][0]["status"] == "cancelled"


def test_nobody_waits_without_end_for_a_busy_model(silent):
    server, engine = silent
    running = [ask(server, stream=True) for _ in range(2)]
    assert [engine.stdout.readline() for _ in range(2)] == ["asked\n"] * 2
    waiting = ask(server, stream=True)
    time.sleep(0.3)
    refused = server.chat("Hi", model="m")
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["error"]["code"] == "overloaded"
    assert b"503" in waiting.recv(65536).split(b"\r\n")[0]
    for connection in (*running, waiting):
        connection.close()
    assert [engine.stdout.readline() for _ in range(2)] == ["left\n"] * 2


def test_past_its_limits_the_server_refuses_at_once_and_stays_responsive(silent):
    server, engine = silent
    running = [ask(server, stream=True) for _ in range(2)]
    assert [engine.stdout.readline() for _ in range(2)] == ["asked\n"] * 2
    waiting = ask(server, stream=True)
    time.sleep(0.3)
    begun = time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        crowd = [pool.submit(server.chat, "Hi", model="m", stream=True) for _ in range(100)]
        slowest = 0.0
        while not all(answer.done() for answer in crowd):
            asked = time.monotonic()
            assert server.get("/health").status_code == 200
            slowest = max(slowest, time.monotonic() - asked)
    took = time.monotonic() - begun
    answers = [answer.result() for answer in crowd]
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert took < QUEUE_SECONDS + 8 + BUSY_SECONDS
    assert slowest < SOON_SECONDS
    for connection in (*running, waiting):
        connection.close()
    assert [engine.stdout.readline() for _ in range(2)] == ["left\n"] * 2
