"""A real web server for uploads: gunicorn with its gevent worker, and no engine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from flask import Flask

from premrunner.app import create_app, prepare_database
from premrunner.config import load_settings
from tests.conftest import TOKEN, find_free_port
from tests.uploads.sending import Site

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application, one for all tests of a module: most of them only ask and are refused."""
    environment = {"DATA_PATH": str(tmp_path_factory.mktemp("uploads") / "data"), "AUTH_TOKEN": TOKEN}
    app = create_app(load_settings(environment, dotenv=None))
    prepare_database(app)
    yield app
    app.extensions["premrunner"].tracing.close()


@contextmanager
def running_site(data_path: Path, *prefix: str, **environment: str) -> Iterator[Site]:
    port = find_free_port()
    names = {
        "DATA_PATH": str(data_path),
        "PORT": str(port),
        "AUTH_TOKEN": TOKEN,
        "PREMRUNNER_STARTER": "none",
        "PREMRUNNER_SUPERVISOR_PID": str(os.getpid()),
    }
    environment = os.environ | names | environment
    upgrade = [sys.executable, "-m", "premrunner", "database", "upgrade"]
    serve = [*prefix, sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py"]
    subprocess.run(upgrade, env=environment, check=True, cwd=ROOT, capture_output=True)
    data_path.parent.mkdir(exist_ok=True)
    log = (data_path.parent / "site.log").open("ab")
    process = subprocess.Popen(
        [*serve, "tests.uploads.impatient_site:create()"],
        env=environment,
        cwd=ROOT,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    log.close()
    site = Site(f"http://127.0.0.1:{port}", TOKEN, data_path, process)
    try:
        for _ in range(300):
            try:
                requests.get(f"{site.url}/health", timeout=60)
                break
            except requests.ConnectionError:
                assert process.poll() is None, Path(log.name).read_text()
                time.sleep(0.05)
        yield site
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # A polite end waits for idle connections.
        process.wait(20)


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One worker, shared by tests that leave it running."""
    with running_site(tmp_path_factory.mktemp("uploads") / "data") as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    return shared_site
