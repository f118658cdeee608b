"""Two web servers and a worker on one data folder, one PostgreSQL and one Redis, as on two machines."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.conftest import TOKEN, LiveServer, find_free_port
from tests.databases import PostgresqlCluster
from tests.redis_server import running_redis

ROOT = Path(__file__).parent.parent.parent
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "wsgi:app"]
START_SECONDS = 60


@dataclass
class Hosts:
    """The servers.

    Attributes:
        first: The one whose gunicorn owns the engine.
        second: The other.
    """

    first: LiveServer
    second: LiveServer

    @property
    def both(self) -> tuple[LiveServer, LiveServer]:
        return self.first, self.second


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgresqlCluster) -> Iterator[Hosts]:
    folder = tmp_path_factory.mktemp("hosts")
    with ExitStack() as stack:
        shared = {
            "DATA_PATH": str(folder / "data"),
            "DATABASE_URL": stack.enter_context(postgresql.database()),
            "REDIS_URL": stack.enter_context(running_redis(folder, find_free_port())),
            "AUTH_TOKEN": TOKEN,
            "PREMRUNNER_ENGINE": "builtin",
        }
        # Both start at the same moment: the first to come makes the tables and the secrets.
        first, second = (_start(stack, folder, GUNICORN, shared, port) for port in (find_free_port(), find_free_port()))
        _start(stack, folder, [sys.executable, "-m", "premrunner", "worker"], shared, 0)
        for host in (first, second):
            _wait_until_it_answers(host)
        yield Hosts(first, second)


def _start(stack: ExitStack, folder: Path, command: list[str], shared: dict[str, str], port: int) -> LiveServer:
    environment = os.environ | shared | {"PORT": str(port or 1)}
    log = stack.enter_context((folder / f"{port}.log").open("ab"))
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)
    return LiveServer(f"http://127.0.0.1:{port}", TOKEN, folder / "data", process)


def _wait_until_it_answers(host: LiveServer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            requests.get(host.url + "/health", timeout=5)
            return
        except requests.RequestException:
            assert host.process.poll() is None, "It ended."
            assert time.monotonic() < deadline, "It does not answer."
            time.sleep(0.1)
