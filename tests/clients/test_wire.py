"""The wire itself: headers, framing, one event a write, connections that are used again, bodies in other forms."""

import gzip
import http.client
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from conftest import STARTER

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHAT = {"model": STARTER, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8, "temperature": 0}


@contextmanager
def connect(url: str) -> Iterator[http.client.HTTPConnection]:
    host, port = url.removeprefix("http://").split(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
        yield connection


@pytest.fixture
def connection(live_server) -> Iterator[http.client.HTTPConnection]:
    with connect(live_server.url) as connection:
        yield connection


def send(connection, method, path, body=None, **headers):
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    connection.request(method, path, data, {"Authorization": "Bearer a-token-for-tests", **headers})
    return connection.getresponse()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", CHAT),
        ("/api/v1/chat/completions", {**CHAT, "project_id": 1}),
        ("/v1/completions", {"model": STARTER, "prompt": "Hi", "max_tokens": 4}),
        ("/v1/responses", {"model": STARTER, "input": "Hi", "max_output_tokens": 4}),
        ("/v1/messages", CHAT),
    ],
)
def test_a_connection_is_used_again_after_a_stream(connection, path, body):
    sockets = set()
    for _ in range(2):
        answer = send(connection, "POST", path, {**body, "stream": True})
        sockets.add(connection.sock.getsockname())
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["x-request-id"]
        assert answer.read().endswith(b"\n\n")
    whole = send(connection, "POST", path, body)
    sockets.add(connection.sock.getsockname())
    assert json.loads(whole.read())["id"].endswith(whole.headers["x-request-id"])
    assert len(sockets) == 1


@pytest.mark.skipif(not shutil.which("curl"), reason="There is no curl here.")
def test_curl_gets_one_event_a_chunk_and_each_when_it_is_said(live_server):
    long = {**CHAT, "messages": [{"role": "user", "content": "Count from one to fifty."}], "max_tokens": 60}
    curl = subprocess.Popen(
        [
            *("curl", "-sN", "--raw", f"{live_server.url}/v1/chat/completions"),
            *("-H", f"Authorization: Bearer {live_server.token}", "-H", "Content-Type: application/json"),
            *("-d", json.dumps({**long, "stream": True})),
        ],
        stdout=subprocess.PIPE,
    )
    chunks, arrived = [], []
    while size := int(curl.stdout.readline(), 16):
        chunks.append(curl.stdout.read(size))
        arrived.append(time.monotonic())
        assert curl.stdout.readline() == b"\r\n"
    curl.stdout.close()
    assert curl.wait(10) == 0
    assert all(chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") and chunk.count(b"\n") == 2 for chunk in chunks)
    assert chunks[-1] == b"data: [DONE]\n\n"
    assert arrived[-1] - arrived[0] > 0.05, "everything came in one moment"


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(live_server):
    body = json.dumps(CHAT).encode()
    host, port = live_server.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {live_server.token}\r\n"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"chat.completion" in answer


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_compressed_requests_are_read(connection, encoding, compress):
    body = compress(json.dumps(CHAT).encode())
    answer = send(connection, "POST", "/v1/chat/completions", body, **{"Content-Encoding": encoding})
    assert answer.status == 200, answer.read()


def test_a_request_may_come_in_chunks(live_server, connection):
    pieces = [json.dumps(CHAT).encode()[start : start + 10] for start in range(0, 200, 10)]
    headers = {"Authorization": f"Bearer {live_server.token}", "Transfer-Encoding": "chunked"}
    connection.request("POST", "/v1/chat/completions", iter(pieces), headers, encode_chunked=True)
    assert connection.getresponse().status == 200


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/chat/completions", {"POST", "OPTIONS"}),
        ("/v1/models", {"GET", "HEAD", "OPTIONS"}),
        (f"/v1/models/{STARTER}", {"GET", "HEAD", "OPTIONS", "DELETE"}),
    ],
)
def test_options_tell_what_a_route_takes(connection, path, methods):
    connection.request("OPTIONS", path)
    answer = connection.getresponse()
    assert answer.status == 200
    assert methods <= {method.strip() for method in answer.headers["Allow"].split(",")}
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/v1/models", "/health", "/v1/traces/none", "/v1/models/no-such-model", "/openapi.json"]
)
def test_head_answers_as_get_does_without_the_body(connection, path):
    head = send(connection, "HEAD", path)
    assert head.read() == b""
    get = send(connection, "GET", path)
    body = get.read()
    assert head.status == get.status
    assert head.headers["Content-Type"] == get.headers["Content-Type"] == "application/json"
    assert int(head.headers["Content-Length"]) == len(body)


def test_a_model_is_deleted_in_the_shape_of_both_apis(live_server, connection):
    engine = live_server.get("/api/ollama/status").json()["address"]
    with connect(engine) as to_engine:
        assert send(to_engine, "POST", "/api/copy", {"source": STARTER, "destination": "to-be-deleted"}).status == 200
    assert live_server.chat("Hi", model="to-be-deleted", max_tokens=1).status_code == 200
    answer = send(connection, "DELETE", "/v1/models/to-be-deleted?foreign=true")
    deletion = {
        "id": "to-be-deleted",
        "object": "model",
        "deleted": True,
        "message": "Model deleted successfully",
    }
    assert deletion.items() <= json.loads(answer.read()).items()
    assert live_server.chat("Hi", model="to-be-deleted").status_code == 404
    assert live_server.chat("Hi", max_tokens=1).status_code == 200
    loaded = [model["name"] for model in live_server.get("/api/ollama/status").json()["loadedModels"]]
    assert "to-be-deleted:latest" not in loaded


def test_a_client_of_http_1_0_gets_a_stream_without_chunks(live_server):
    body = json.dumps({**CHAT, "stream": True, "max_tokens": 3}).encode()
    host, port = live_server.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/chat/completions HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer {live_server.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    events = answer.partition(b"\r\n\r\n")[2]
    assert events.startswith(b"data: {")
    assert events.endswith(b"\n\ndata: [DONE]\n\n")
