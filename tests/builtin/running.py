"""A built-in engine running in a process of its own, and a client for it."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

START_SECONDS = 30.0
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
STORY = [{"role": "user", "content": "Write a very long story about the sea."}]


class EngineClient:
    """Plain HTTP to an engine, with its lines decoded."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str, **kwargs) -> requests.Response:
        return self.session.get(self.url + path, timeout=60, **kwargs)

    def post(self, path: str, body: object = None, **kwargs) -> requests.Response:
        return self.session.post(self.url + path, json=body, timeout=120, **kwargs)

    def delete(self, model: str) -> requests.Response:
        return self.session.delete(self.url + "/api/delete", json={"model": model}, timeout=60)

    def lines(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        return list(self.stream(path, body))

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        with self.post(path, body, stream=True) as response:
            assert response.status_code == 200, response.text
            for line in response.iter_lines(chunk_size=None):
                yield json.loads(line)

    def whole(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = self.post(path, {"stream": False, **body})
        assert response.status_code == 200, response.text
        return response.json()

    def chat(self, model: str, messages: object = CAPITAL, **fields) -> dict[str, Any]:
        body = {"model": model, "messages": messages, "options": {"temperature": 0}}
        return self.whole("/api/chat", {**body, **fields})

    def push(self, path: Path) -> str:
        """Upload a file and return its digest."""
        with path.open("rb") as file:
            digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            response = self.session.post(f"{self.url}/api/blobs/{digest}", data=file, timeout=120)
        assert response.status_code in {200, 201}, response.text
        return digest

    def push_bytes(self, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        response = self.session.post(f"{self.url}/api/blobs/{digest}", data=content, timeout=60)
        assert response.status_code in {200, 201}, response.text
        return digest

    def create(self, model: str, **fields) -> None:
        assert self.whole("/api/create", {"model": model, **fields}) == {"status": "success"}

    def loaded(self) -> dict[str, dict[str, Any]]:
        return {model["name"]: model for model in self.get("/api/ps").json()["models"]}


class RunningEngine(EngineClient):
    """A process of the built-in engine."""

    def __init__(self, port: int, store: Path, *options: str) -> None:
        super().__init__(f"http://127.0.0.1:{port}")
        self.store = store
        self.log_path = store.with_name(store.name + ".log")
        command = [sys.executable, "-m", "premrunner.builtin", "--port", str(port), "--store", str(store), *options]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def wait_until_ready(self) -> "RunningEngine":
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.get("/").ok:
                    return self
            except requests.ConnectionError:
                time.sleep(0.02)
        raise AssertionError(self.log_path.read_text())

    def model_processes(self) -> list[int]:
        """Return the numbers of the model processes of this engine."""
        return [child for worker in children(self.process.pid) for child in children(worker)]

    def unload_all(self) -> None:
        for name in self.loaded():
            self.post("/api/generate", {"model": name, "keep_alive": 0})
        eventually(lambda: not self.model_processes())

    def stop(self) -> int:
        self.session.close()
        self.process.terminate()
        return self.process.wait(20)


def children(process_id: int) -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = (map(int, line.split()) for line in listed.splitlines())
    return [child for child, parent in pairs if parent == process_id]


def is_running(process_id: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    command = ["ps", "-o", "stat=", "-p", str(process_id)]
    state = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")


def eventually(claim, seconds: float = 5.0) -> float:
    """Wait until a claim holds and return how long that took."""
    started_at = time.monotonic()
    while not claim():
        assert time.monotonic() - started_at < seconds, "It did not become true."
        time.sleep(0.01)
    return time.monotonic() - started_at
