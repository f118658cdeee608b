"""Uploads and imports as clients make them, against a server of these tests alone."""

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import LiveServer, start_server, stop_server
from flask import Flask

from premrunner.domain.catalog import FRESH_SECONDS
from tests.engine_of_tests import found_running

from .recorded_ollama import RecordedOllama, recorded_ollama
from .workshop import Workshop

IMPORT_SECONDS = 60
# Each web process keeps the list for so long.
CATALOG_SECONDS = FRESH_SECONDS + 0.1


class ImportClient:
    """Uploads with the original's calls and follows what becomes of it."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server

    def upload(self, path: Path, name: str) -> str:
        """The original's call for files up to 100 MiB; returns the model's id."""
        with path.open("rb") as file:
            answer = self.server.post("/v1/models/upload", files={"file": (path.name, file)}, data={"name": name})
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def status(self, model_id: str) -> dict:
        return self.server.get(f"/v1/models/{model_id}/status").json()

    def wait(self, model_id: str, *wanted: str, seconds: float = IMPORT_SECONDS) -> dict:
        deadline = time.monotonic() + seconds
        while (status := self.status(model_id))["status"] not in (wanted or ("ready", "failed", "cancelled")):
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        return status

    def wait_for_stage(self, model_id: str, *stages: str) -> None:
        """Return when an import is at one of these stages."""
        deadline = time.monotonic() + 30
        while (status := self.status(model_id))["stage"] not in stages:
            assert time.monotonic() < deadline, status
            time.sleep(0.01)

    def listed(self) -> dict[str, str]:
        """Who brought each model that can be called, once the list is no older than this call."""
        time.sleep(CATALOG_SECONDS)
        return {model["id"]: model["owned_by"] for model in self.server.get("/v1/models").json()["data"]}

    def delete(self, model_id: str) -> dict:
        """Delete a model that nothing keeps from being deleted, and return what the server says."""
        answer = self.server.delete(f"/v1/models/{model_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()


def zip_of(target: Path, files: dict[str, bytes | Path], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(target, "w", method, compresslevel=1) as archive:
        for name, content in files.items():
            if isinstance(content, Path):
                archive.write(content, name)
            else:
                archive.writestr(name, content)
    return target


@pytest.fixture(scope="session")
def import_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server without any model; each test removes what it brings."""
    server = start_server(tmp_path_factory.mktemp("imports") / "data", PREMRUNNER_STARTER="none", WEB_WORKERS="2")
    yield server
    stop_server(server)


@pytest.fixture(scope="session")
def imports(import_server: LiveServer) -> ImportClient:
    return ImportClient(import_server)


@pytest.fixture
def empty_server(imports: ImportClient) -> Iterator[None]:
    """Remove what a failing test leaves, so that it fails alone."""
    yield
    for model in imports.server.get("/v1/models").json()["models"]:
        imports.server.delete(f"/v1/models/{model['id']}")


@pytest.fixture(scope="session")
def starter_zip(starter_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter model deflated, which takes a while to make."""
    return zip_of(tmp_path_factory.mktemp("zip") / "starter.zip", {"some folder/model.gguf": starter_gguf})


@pytest.fixture
def ollama(tmp_path: Path) -> Iterator[RecordedOllama]:
    """An Ollama as it was recorded, which keeps the blobs that it is given."""
    folder = tmp_path / "ollama" / "blobs"
    folder.mkdir(parents=True)
    with recorded_ollama(folder) as ollama:
        yield ollama


@pytest.fixture
def workshop(app: Flask, ollama: RecordedOllama) -> Iterator[Workshop]:
    """Imports in the test's own process, over that Ollama."""
    with found_running(app, ollama.port):
        yield Workshop(app, ollama)
