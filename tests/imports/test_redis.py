"""The queue in Redis, as several machines would use it: a real one, started for these tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from conftest import find_free_port, start_server, stop_server
from live.processes import find_child

from tests.redis_server import running_redis

from .conftest import ImportClient
from .leftovers import leftovers


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of these tests alone."""
    with running_redis(tmp_path_factory.mktemp("redis"), find_free_port()) as url:
        yield url


@pytest.fixture(scope="module")
def over_redis(redis_url, tmp_path_factory) -> Iterator[ImportClient]:
    data_path = tmp_path_factory.mktemp("over-redis") / "data"
    server = start_server(data_path, PREMRUNNER_STARTER="none", REDIS_URL=redis_url)
    yield ImportClient(server)
    stop_server(server)


def begun(status: dict, stage: str) -> int:
    """Return how often a stage was begun."""
    return sum(
        event["stage"] == stage and not event["percent"] and not event["doneBytes"] and event["status"] == "importing"
        for event in status["events"]
    )


def test_imports_wait_in_redis_and_are_done_in_their_order(over_redis, starter_gguf):
    worker = find_child(over_redis.server.process.pid, "premrunner worker")
    os.kill(worker, signal.SIGSTOP)
    ids = [over_redis.upload(starter_gguf, f"Redis {number}") for number in range(2)]
    assert [over_redis.status(model_id)["place"] for model_id in ids] == [0, 1]
    os.kill(worker, signal.SIGCONT)
    ended = [over_redis.wait(model_id) for model_id in ids]
    assert [status["status"] for status in ended] == ["ready", "ready"]
    assert ended[0]["events"][-1]["number"] < next(
        event["number"] for event in ended[1]["events"] if event["stage"] == "check"
    )
    assert not (over_redis.server.data_path / "jobs.db").exists()
    for model_id in ids:
        over_redis.delete(model_id)


def test_a_killed_worker_loses_no_import_and_does_none_twice(over_redis, starter_zip):
    worker = find_child(over_redis.server.process.pid, "premrunner worker")
    os.kill(worker, signal.SIGSTOP)
    first, second = (over_redis.upload(starter_zip, name) for name in ("Killed", "Behind"))
    os.kill(worker, signal.SIGCONT)
    over_redis.wait_for_stage(first, "unpack", "identify", "create")
    os.kill(worker, signal.SIGKILL)
    ended = [over_redis.wait(model_id) for model_id in (first, second)]
    assert [status["status"] for status in ended] == ["ready", "ready"], ended
    assert [begun(status, "prove") for status in ended] == [1, 1]
    assert begun(ended[1], "unpack") == 1
    assert over_redis.listed() == {"killed": "user", "behind": "user"}
    for model_id in (first, second):
        over_redis.delete(model_id)
    assert leftovers(over_redis.server.data_path) == []


def test_two_workers_at_one_queue_do_each_import_once(over_redis, redis_url, starter_gguf):
    environment = os.environ | {
        "DATA_PATH": str(over_redis.server.data_path),
        "REDIS_URL": redis_url,
        "PREMRUNNER_STARTER": "none",
        "PREMRUNNER_ENGINE": "builtin",
    }
    command = [sys.executable, "-m", "premrunner", "worker"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as second:
        time.sleep(3)
        ids = [over_redis.upload(starter_gguf, f"Shared {number}") for number in range(4)]
        ended = [over_redis.wait(model_id) for model_id in ids]
        second.terminate()
    assert [status["status"] for status in ended] == ["ready"] * 4, ended
    assert [begun(status, "prove") for status in ended] == [1] * 4
    for model_id in ids:
        over_redis.delete(model_id)


def test_a_redis_that_is_away_is_said_at_once(tmp_path, starter_gguf):
    server = start_server(
        tmp_path / "data", PREMRUNNER_STARTER="none", REDIS_URL=f"redis://127.0.0.1:{find_free_port()}/0"
    )
    with starter_gguf.open("rb") as file:
        answer = server.post("/v1/models/upload", files={"file": ("m.gguf", file)}, data={"name": "Away"})
    assert answer.status_code >= 500
    assert "Redis" in answer.json()["error"]["message"]
    stop_server(server)
