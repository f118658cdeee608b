"""Two servers on one data folder, one database and one queue take turns, and nobody can tell."""

import hashlib
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from live.processes import children_of, command_of

from premrunner.storage.paths import DataPaths

CHUNK = 8 * 1024 * 1024
IMPORT_SECONDS = 120


def wait_for(look: Callable[[], object], seconds: float = 20) -> object:
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return seen


def upload(hosts, content: bytes, name: str) -> dict:
    """Send chunks to both in turn and at once; return what the last call of the upload says."""
    wish = {"fileName": f"{name}.gguf", "fileSize": len(content), "chunkSize": CHUNK, "modelName": name}
    upload_id = hosts.first.post("/v1/chunked-upload/start", wish).json()["modelId"]

    def send(index: int) -> int:
        host = hosts.both[index % 2]
        chunk = content[index * CHUNK : (index + 1) * CHUNK]
        path = f"/v1/chunked-upload/{upload_id}/chunks/{index}"
        return requests.put(host.url + path, data=chunk, headers=host.headers, timeout=60).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(-(-len(content) // CHUNK)))) == {200}
    wish = {"modelId": upload_id, "sha256": hashlib.sha256(content).hexdigest()}
    done = hosts.second.post("/v1/chunked-upload/complete", wish)
    assert done.status_code == 200, done.text
    return done.json()


def begin_import(host, uploaded: dict, name: str) -> None:
    wish = {"modelId": uploaded["modelId"], "modelName": name, "filePath": uploaded["path"]}
    answer = host.post("/v1/models/import", wish)
    assert answer.ok, answer.text


def wait_until_ready(host, model_id: str) -> None:
    deadline = time.monotonic() + IMPORT_SECONDS
    while (status := host.get(f"/v1/models/{model_id}/status").json())["status"] != "ready":
        assert status["status"] in ("queued", "importing"), status
        assert time.monotonic() < deadline, status
        time.sleep(0.1)


@pytest.fixture(scope="module")
def model(hosts, starter_gguf) -> str:
    """The id of a model that came in chunks, sent to both in turn and at once."""
    uploaded = upload(hosts, starter_gguf.read_bytes(), "Shared")
    begin_import(hosts.first, uploaded, "Shared")
    wait_until_ready(hosts.second, uploaded["modelId"])
    return uploaded["modelId"]


def test_a_model_uploaded_to_both_answers_the_same_on_both(hosts, model):
    said = []
    for host in hosts.both:
        answer = host.chat("What is the capital of France?", model=model, max_tokens=8)
        assert answer.status_code == 200, answer.text
        said.append(answer.json()["choices"][0]["message"]["content"])
    assert said[0] == said[1]


def test_each_shows_the_calls_of_the_other(hosts, model):
    made = [host.chat("Hi", model=model, max_tokens=1).headers["x-request-id"] for host in hosts.both]

    def both_are_there() -> bool:
        return all(host.get(f"/v1/traces/{trace}").status_code == 200 for host in hosts.both for trace in made)

    assert wait_for(both_are_there)


def test_the_queue_of_imports_is_redis(hosts, model, starter_gguf):
    uploaded = upload(hosts, starter_gguf.read_bytes()[:-1], "Cut short")
    begin_import(hosts.second, uploaded, "Cut short")
    status = f"/v1/models/{uploaded['modelId']}/status"
    assert wait_for(lambda: hosts.first.get(status).json()["status"] == "failed")
    assert not DataPaths(hosts.first.data_path).job_queue.exists()


def test_the_calls_of_a_killed_worker_are_settled_and_those_of_the_other_host_go_on(hosts, model):
    streams = [host.chat("Count to a thousand.", model=model, max_tokens=300, stream=True) for host in hosts.both]
    first, second = (stream.headers["x-request-id"] for stream in streams)
    lines = [stream.iter_lines() for stream in streams]
    for begun in lines:
        next(begun)
    web = next(pid for pid in children_of(hosts.first.process.pid) if "gunicorn" in command_of(pid))
    os.kill(web, signal.SIGKILL)

    def status_of(trace: str) -> str:
        return hosts.second.get(f"/v1/traces/{trace}").json().get("status")

    assert wait_for(lambda: status_of(first) == "interrupted")
    assert status_of(second) in ("running", "ok")
    assert wait_for(lambda: status_of(second) == "ok", seconds=60)
    assert list(lines[1])[-2:] == [b"data: [DONE]", b""]
