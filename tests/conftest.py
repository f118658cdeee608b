"""What every test may ask for: a temporary instance, a running server, the starter model, a browser."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Playwright, sync_playwright

from premrunner.app import create_app, prepare_database
from premrunner.config import Settings, load_settings
from premrunner.extensions import db
from premrunner.storage.starter_package import MEMBER, fetch_gguf
from tests.databases import PostgresqlCluster, running_postgresql

CACHE = Path(__file__).parent.parent / ".cache" / "starter"
TOKEN = "a-token-for-tests"
STARTER = "smollm2-135m-instruct"
START_SECONDS = 120
# What a full machine may add to "at once".
BUSY_SECONDS = 2.0


@dataclass
class LiveServer:
    """A running `premrunner serve`.

    Attributes:
        url: Its address.
        token: Its access token.
        data_path: Its data folder.
        process: The process; tests that end it start their own server.
    """

    url: str
    token: str
    data_path: Path
    process: "subprocess.Popen[bytes]"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, **kwargs) -> requests.Response:
        return requests.get(self.url + path, headers=self.headers, timeout=60, **kwargs)

    def post(self, path: str, body: object = None, **kwargs) -> requests.Response:
        return requests.post(self.url + path, json=body, headers=self.headers, timeout=300, **kwargs)

    def delete(self, path: str) -> requests.Response:
        return requests.delete(self.url + path, headers=self.headers, timeout=60)

    def patch(self, path: str, body: object) -> requests.Response:
        return requests.patch(self.url + path, json=body, headers=self.headers, timeout=60)

    def chat(self, content: str, **fields) -> requests.Response:
        stream = bool(fields.get("stream"))
        body = {"model": STARTER, "messages": [{"role": "user", "content": content}], "temperature": 0, **fields}
        return self.post("/v1/chat/completions", body, stream=stream)

    def wait_for_model(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if STARTER in [model["id"] for model in self.get("/v1/models").json()["data"]]:
                return
            time.sleep(0.2)
        raise AssertionError("The starter model did not come.")


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_server(data_path: Path, **environment: str) -> LiveServer:
    """Start `premrunner serve` and return when its site answers."""
    port = int(environment.get("PORT") or find_free_port())
    names = {"DATA_PATH": str(data_path), "PORT": str(port), "AUTH_TOKEN": TOKEN, "PREMRUNNER_ENGINE": "builtin"}
    log = (data_path.parent / f"{data_path.name}.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "premrunner", "serve"],
        env=os.environ | names | environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=data_path.parent,
    )
    log.close()
    server = LiveServer(f"http://127.0.0.1:{port}", TOKEN, data_path, process)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(server.url + "/health", timeout=2).ok:
                return server
        except requests.RequestException:  # Not listening yet, or listening while its worker still loads.
            time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError(Path(log.name).read_text())


def stop_server(server: LiveServer) -> int:
    server.process.terminate()
    return server.process.wait(30)


@pytest.fixture
def free_port() -> int:
    return find_free_port()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlCluster]:
    """A PostgreSQL for these tests alone."""
    with running_postgresql(find_free_port()) as cluster:
        yield cluster


@pytest.fixture
def database_url() -> str:
    """Where the data are: SQLite in the data folder; folders of tests that are for every database say so."""
    return ""


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    environment = {"DATA_PATH": str(tmp_path / "data"), "AUTH_TOKEN": TOKEN, "PREMRUNNER_STARTER": "none"}
    return load_settings(environment | {"DATABASE_URL": database_url}, dotenv=None)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application on a fresh database, with no engine."""
    app = create_app(settings)
    prepare_database(app)
    yield app
    app.extensions["premrunner"].tracing.close()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def api(client: FlaskClient) -> FlaskClient:
    """A client that has the token."""
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    return client


@pytest.fixture(scope="session")
def starter_gguf() -> Path:
    """The starter model's file, fetched once and kept below `.cache`."""
    gguf = CACHE / Path(MEMBER).name
    return gguf if gguf.exists() else fetch_gguf(CACHE)


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with the built-in engine and the starter model, shared by tests that leave it as it is."""
    server = start_server(tmp_path_factory.mktemp("live") / "data")
    server.wait_for_model()
    yield server
    stop_server(server)


def launch_chromium(playwright: Playwright) -> Browser:
    """Return Debian's Chromium, which asks nobody on the internet for anything."""
    return playwright.chromium.launch(
        executable_path="/usr/bin/chromium",
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()
