"""The load: what many users do at one time, each as a thread that goes on until the end."""

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests
from simple_websocket import Client, ConnectionClosed
from simple_websocket import ConnectionError as SocketError
from wsproto.utilities import ProtocolError

from .ledger import Ledger
from .site import TOKEN
from .visitor import Visitor

CHUNK = 2 * 1024 * 1024
IMPORT_SECONDS = 300
# The server's processes look once a second how late it is, so for a moment they do not agree.
CLOCK_SECONDS = 3.0
PAGES = ("/", "/models", "/traces", "/settings", "/v1/models", "/v1/traces?limit=5", "/metrics", "/api/ollama/status")


class Load:
    """Everybody who uses the site.

    Args:
        url: Of the proxy before it.
        ledger: Takes what they were promised and what they met.
        gguf: A model that works.
        folder: Gets pictures of what a browser showed and should not have.
    """

    def __init__(self, url: str, ledger: Ledger, gguf: Path, folder: Path) -> None:
        self._url = url
        self._ledger = ledger
        self._folder = folder
        self._gguf = gguf.read_bytes()
        self._ending = threading.Event()
        self._models: list[str] = []  # Those that can be asked now.
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Bring in a model that stays, and let everybody begin."""
        self._bring(stays=True)
        if not self._models:
            self._ledger.find("the first model did not come in, although nothing was broken yet")
        users = (self.import_model, self.chat, self.chat, self.chat, self.upload, self.upload, self.browse, self.follow)
        self._threads = [threading.Thread(target=self._repeat, args=(user,), name=user.__name__) for user in users]
        visitor = Visitor(self._url, self._ledger, self._ending, self._folder)
        self._threads.append(threading.Thread(target=visitor.visit, name="browser"))
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def end(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(IMPORT_SECONDS)
            if thread.is_alive():
                self._ledger.find(f"{thread.name} hangs: a request without an answer")

    def _repeat(self, act: Callable[[], None]) -> None:
        while not self._ending.is_set():
            try:
                act()
            except (requests.RequestException, ConnectionClosed, SocketError, ProtocolError, OSError) as error:
                self._ledger.broken(act.__name__, error)
                time.sleep(0.5)
            time.sleep(random.uniform(0, 0.3))

    def _ask(self, method: str, path: str, **fields) -> requests.Response:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return requests.request(method, self._url + path, headers=headers, timeout=(10, 90), **fields)

    def _good(self, what: str, answer: requests.Response) -> bool:
        if answer.ok:
            self._ledger.count(what)
            return True
        self._ledger.refused_answer(what, answer)
        time.sleep(0.3)
        return False

    def chat(self) -> None:
        """Stream an answer to its end, or leave in the middle of it."""
        if not self._models:
            time.sleep(0.5)
            return
        body = {"model": random.choice(self._models), "stream": True, "max_tokens": random.choice((4, 16, 60))}
        body["messages"] = [{"role": "user", "content": f"Tell me of the number {random.random()}."}]
        with self._ask("POST", "/v1/chat/completions", json=body, stream=True) as answer:
            if not self._good("chat begun", answer):
                return
            call = answer.headers["x-request-id"]
            self._ledger.calls[call] = False
            leaves_early = random.random() < 0.2
            for line in answer.iter_lines():
                if line == b"data: [DONE]":
                    self._ledger.calls[call] = True
                    self._ledger.count("chat finished")
                    return
                if line.startswith(b"data: {"):
                    event = json.loads(line[6:])
                    if "error" in event:
                        self._ledger.refused("chat", 200, event)
                        return
                    if leaves_early:
                        self._ledger.count("chat left")
                        return
            raise requests.ConnectionError("The stream ended without its end.")

    def upload(self) -> None:
        """Send chunks in any order; whatever was acknowledged must still be there when asked, whatever broke."""
        content = random.randbytes(random.randrange(CHUNK, 12 * CHUNK))
        wish = {"fileName": "noise.gguf", "fileSize": len(content), "chunkSize": CHUNK, "modelName": "Noise"}
        begun = self._ask("POST", "/v1/chunked-upload/start", json=wish)
        if not self._good("upload begun", begun):
            return
        upload_id = begun.json()["modelId"]
        try:
            self._send(upload_id, content)
        finally:
            self._give_up(upload_id)

    def _send(self, upload_id: str, content: bytes) -> bool:
        acknowledged = self._ledger.acknowledged.setdefault(upload_id, set())
        missing = list(range(-(-len(content) // CHUNK)))
        deadline = time.monotonic() + IMPORT_SECONDS
        while missing and time.monotonic() < deadline and not self._ending.is_set():
            random.shuffle(missing)
            for index in list(missing):
                try:
                    path = f"/v1/chunked-upload/{upload_id}/chunks/{index}"
                    answer = self._ask("PUT", path, data=content[index * CHUNK : (index + 1) * CHUNK])
                    if self._good("chunk", answer):
                        acknowledged.add(index)
                        missing.remove(index)
                except requests.RequestException as error:
                    self._ledger.broken("chunk", error)
            self._compare(upload_id, acknowledged)
        return not missing and self._complete(upload_id, content)

    def _compare(self, upload_id: str, acknowledged: set[int]) -> None:
        answer = self._patiently("GET", f"/v1/chunked-upload/{upload_id}")
        if answer is None or not self._good("upload looked at", answer):
            return
        there = {index for first, last in answer.json()["received"] for index in range(first, last + 1)}
        if lost := acknowledged - there:
            self._ledger.find(f"upload {upload_id}: acknowledged chunks are lost: {sorted(lost)}")

    def _complete(self, upload_id: str, content: bytes) -> bool:
        wish = {"modelId": upload_id, "sha256": hashlib.sha256(content).hexdigest()}
        for _ in range(20):
            answer = self._patiently("POST", "/v1/chunked-upload/complete", json=wish)
            if answer is None:
                return False
            if answer.status_code == 400:
                self._ledger.find(f"upload {upload_id}: the bytes are not the ones that were sent: {answer.text}")
            if self._good("upload completed", answer):
                return True
        return False

    def _patiently(self, method: str, path: str, **fields) -> requests.Response | None:
        """Ask until there is an answer."""
        for _ in range(60):
            try:
                return self._ask(method, path, **fields)
            except requests.RequestException as error:
                self._ledger.broken(path.split("/")[2], error)
                time.sleep(0.5)
        self._ledger.find(f"{method} {path}: no answer in sixty tries")
        return None

    def _give_up(self, upload_id: str) -> None:
        for _ in range(60):
            answer = self._patiently("DELETE", f"/v1/chunked-upload/{upload_id}")
            if answer is None or answer.status_code == 404 or self._good("upload deleted", answer):
                return
        self._ledger.find(f"upload {upload_id}: it cannot be deleted")

    def import_model(self) -> None:
        """Bring a model in, let others chat with it for a while, and delete it."""
        self._bring(stays=False)

    def _bring(self, *, stays: bool) -> None:
        wish = {"fileName": "model.gguf", "fileSize": len(self._gguf), "chunkSize": CHUNK, "modelName": "Soak"}
        begun = self._ask("POST", "/v1/chunked-upload/start", json=wish)
        if not self._good("upload begun", begun):
            return
        model_id = begun.json()["modelId"]
        if self._send(model_id, self._gguf) and self._follow_import(model_id) == "ready":
            self._models.append(model_id)
            if stays:
                self._ledger.kept.append(model_id)
                return
            self._ending.wait(random.uniform(30, 60))
            self._models.remove(model_id)
        self._delete(model_id)
        self._give_up(model_id)

    def _follow_import(self, model_id: str) -> str:
        shown = self._patiently("GET", f"/v1/chunked-upload/{model_id}")
        if shown is None or not shown.ok:
            return ""
        wish = {"modelId": model_id, "modelName": "Soak", "filePath": shown.json().get("path")}
        for _ in range(20):
            answer = self._patiently("POST", "/v1/models/import", json=wish)
            if answer is None or self._good("import begun", answer) or answer.status_code == 409:
                break
        deadline = time.monotonic() + IMPORT_SECONDS
        while time.monotonic() < deadline:
            answer = self._patiently("GET", f"/v1/models/{model_id}/status")
            status = answer.json().get("status") if answer is not None and answer.ok else ""
            if status in ("ready", "failed", "cancelled"):
                self._ledger.count(f"import {status}")
                return status
            time.sleep(0.5)
        self._ledger.find(f"import {model_id}: still '{status}' after {IMPORT_SECONDS} s")
        return ""

    def _delete(self, model_id: str) -> None:
        for _ in range(60):
            answer = self._patiently("DELETE", f"/v1/models/{model_id}")
            if answer is None or answer.status_code == 404 or self._good("model deleted", answer):
                return
        self._ledger.find(f"model {model_id}: it cannot be deleted")

    def browse(self) -> None:
        """Log in and read the pages, as a browser does."""
        with requests.Session() as browser:
            begun = time.monotonic()
            login = browser.get(f"{self._url}/login?token={TOKEN}", timeout=(10, 60))
            if not self._good("login", login):
                return
            for page in random.sample(PAGES, len(PAGES)):
                answer = browser.get(self._url + page, timeout=(10, 60))
                has_moved = self._ledger.has_moved_clock_since(begun - CLOCK_SECONDS)
                if answer.status_code == requests.codes.unauthorized and has_moved:
                    self._ledger.count("session from the future ended")  # Its signature holds the time.
                    return
                self._good("page", answer)

    def follow(self) -> None:
        """Follow the imports over a web socket, from the last number that was seen."""
        url = self._url.replace("http", "ws", 1) + "/ws/progress?after=0"
        connection = Client(url, headers={"Authorization": f"Bearer {TOKEN}"})
        self._ledger.count("socket opened")
        last = 0
        until = time.monotonic() + random.uniform(5, 20)
        try:
            while time.monotonic() < until and not self._ending.is_set():
                text = connection.receive(timeout=1)
                if text is None:
                    continue
                number = json.loads(text).get("number", last)
                if number < last:
                    self._ledger.find(f"web socket: event {number} came after {last}")
                last = number
        finally:
            connection.close()
