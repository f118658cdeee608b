"""A server that is told to end while everything is at work, and the one that comes after it on the same folder."""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from conftest import LiveServer, start_server, stop_server
from conversations.paced_engine import paced_engine
from imports.conftest import ImportClient, zip_of
from imports.leftovers import leftovers
from simple_websocket import Client, ConnectionClosed

MIB = 1024 * 1024
# As in deploy/gunicorn.conf.py: streams are told after three seconds, sockets after a quarter.
SOCKET_SECONDS = 2.5
SERVICE_RESTART = 1012


@dataclass
class Ending:
    """What happened to whoever was there when the server was told to end.

    Attributes:
        events: Of the stream, with the moment when each came.
        socket_code: With which the web socket was closed.
        socket_seconds: How long after the server was told.
        idle_seconds: The same of a connection on which nobody asked anything more.
        told_at: When it was told.
        exit_code: Of the server.
        upload_id: Upload with two chunks of which one was there and the other half.
        upload: Its content.
        trace_id: Of the stream.
        data_path: The folder.
    """

    events: list[tuple[float, dict]]
    socket_code: int
    socket_seconds: float
    idle_seconds: float
    told_at: float
    exit_code: int
    upload_id: str
    upload: bytes
    trace_id: str
    data_path: Path


def send_half_a_chunk(server: LiveServer, upload_id: str, index: int, data: bytes) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"PUT /v1/chunked-upload/{upload_id}/chunks/{index} HTTP/1.1\r\nHost: {host}\r\n"
    head += f"Authorization: Bearer {server.token}\r\nContent-Length: {len(data)}\r\n\r\n"
    connection.sendall(head.encode() + data[: len(data) // 2])
    return connection


def idle_connection(server: LiveServer) -> socket.socket:
    """Open a connection, as a browser does that has had its page and keeps it for the next."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(f"GET /login HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    answer = b""
    while b"</html>" not in answer:
        answer += connection.recv(65536)
    return connection


def closed_with(connection: Client) -> int:
    try:
        while True:
            connection.receive(timeout=20)
    except ConnectionClosed as closed:
        return closed.reason


@pytest.fixture(scope="module")
def ending(tmp_path_factory) -> Iterator[Ending]:
    """End a server while it streams, follows and takes an upload; the engine has one more word to say."""
    with paced_engine() as (port, pace):
        server = start_server(
            tmp_path_factory.mktemp("ending") / "data",
            PREMRUNNER_ENGINE="ollama",
            OLLAMA_HOST=f"127.0.0.1:{port}",
            PREMRUNNER_STARTER="none",
        )
        while server.get("/api/ollama/status").json()["status"] != "running":
            time.sleep(0.1)
        upload = os.urandom(4 * MIB)
        wish = {"fileName": "model.gguf", "fileSize": len(upload), "chunkSize": 2 * MIB, "modelName": "Model"}
        upload_id = server.post("/v1/chunked-upload/start", wish).json()["modelId"]
        first = f"{server.url}/v1/chunked-upload/{upload_id}/chunks/0"
        assert requests.put(first, data=upload[: 2 * MIB], headers=server.headers, timeout=60).ok
        sender = send_half_a_chunk(server, upload_id, 1, upload[2 * MIB :])
        follower = Client(server.url.replace("http", "ws", 1) + "/ws/progress", headers=server.headers)
        browser = idle_connection(server)
        pace.say("before ")
        answer = server.chat("Hi", model="m", stream=True)
        lines = (line for line in answer.iter_lines() if line)
        events = [(time.monotonic(), json.loads(next(lines)[6:]))]

        told_at = time.monotonic()
        server.process.terminate()
        socket_code = closed_with(follower)
        socket_seconds = time.monotonic() - told_at
        assert browser.recv(1) == b""
        idle_seconds = time.monotonic() - told_at
        browser.close()
        pace.say("after")
        pace.finish()
        events += [(time.monotonic(), json.loads(line[6:])) for line in lines if line != b"data: [DONE]"]
        exit_code = server.process.wait(30)
        sender.close()
        trace_id = answer.headers["x-request-id"]
        yield Ending(
            events,
            socket_code,
            socket_seconds,
            idle_seconds,
            told_at,
            exit_code,
            upload_id,
            upload,
            trace_id,
            server.data_path,
        )


@pytest.fixture(scope="module")
def successor(ending) -> Iterator[LiveServer]:
    """The server that comes after it."""
    server = start_server(ending.data_path, PREMRUNNER_STARTER="none")
    yield server
    stop_server(server)


def test_a_stream_that_ends_in_time_is_whole(ending, successor):
    assert ending.exit_code == 0
    assert ending.events[-1][0] > ending.told_at
    text = "".join(choice["delta"].get("content") or "" for _, event in ending.events for choice in event["choices"])
    assert text == "before after"
    assert ending.events[-1][1]["choices"][0]["finish_reason"] == "stop"
    trace = successor.get(f"/v1/traces/{ending.trace_id}").json()
    assert (trace["status"], trace["output"]) == ("ok", "before after")


def test_web_sockets_are_closed_at_once_with_the_code_to_come_again(ending):
    assert ending.socket_code == SERVICE_RESTART
    assert ending.socket_seconds < SOCKET_SECONDS


def test_a_browser_that_keeps_its_connection_does_not_hold_up_the_end(ending):
    assert ending.idle_seconds < SOCKET_SECONDS


def test_an_upload_goes_on_with_the_chunk_that_was_cut(ending, successor):
    shown = successor.get(f"/v1/chunked-upload/{ending.upload_id}").json()
    assert shown["received"] == [[0, 0]]
    second = f"{successor.url}/v1/chunked-upload/{ending.upload_id}/chunks/1"
    assert requests.put(second, data=ending.upload[2 * MIB :], headers=successor.headers, timeout=60).ok
    wish = {"modelId": ending.upload_id, "sha256": hashlib.sha256(ending.upload).hexdigest()}
    assert successor.post("/v1/chunked-upload/complete", wish).status_code == 200
    successor.delete(f"/v1/chunked-upload/{ending.upload_id}")
    assert leftovers(ending.data_path) == []


def test_an_import_goes_on_where_it_was(tmp_path, starter_gguf):
    deflated = zip_of(tmp_path / "starter.zip", {"model.gguf": starter_gguf})
    server = start_server(tmp_path / "data", PREMRUNNER_STARTER="none")
    model_id = ImportClient(server).upload(deflated, "Interrupted")
    ImportClient(server).wait_for_stage(model_id, "prove")
    assert stop_server(server) == 0
    successor = start_server(tmp_path / "data", PREMRUNNER_STARTER="none")
    status = ImportClient(successor).wait(model_id)
    assert status["status"] == "ready", status
    begun = [event["stage"] for event in status["events"] if event["percent"] == 0 and event["doneBytes"] == 0]
    assert begun.count("unpack") == 1
    assert ImportClient(successor).delete(model_id)
    assert leftovers(tmp_path / "data") == []
    assert stop_server(successor) == 0
