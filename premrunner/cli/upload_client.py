"""``premrunner upload``: send a model to a PremRunner, here or elsewhere, with resume and in parallel.

Nothing is remembered on this side: the files are hashed first, and by the hash the server knows whether it has them
already, or a part of them, so that the same command, given again, goes on where it stopped.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from premrunner.cli.local_files import FileSlice, LocalFile, find_files, fingerprint
from premrunner.cli.meter import Meter, Show
from premrunner.errors import PremRunnerError

CHUNK_BYTES = 16 * 1024 * 1024  # Small enough that a bad line loses little, with four on the way at once.
PARALLEL_CHUNKS = 4
# A laptop that wakes up, or a server that restarts, is back within this; later the same command goes on.
PATIENCE_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 15.0
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0
# What may go away by itself: the body was cut or stalled, the server is busy or restarts.
TRANSIENT = {408, 429, 499, 500, 502, 503, 504}


class UploadFailed(PremRunnerError):
    """The server refused, or cannot be reached."""


class UploadClient:
    """Talks to one PremRunner.

    Args:
        url: Its address.
        token: Its access token.
        show: Takes the line that shows the progress.
        patience_seconds: How long a server may be away.
    """

    def __init__(self, url: str, token: str, show: Show, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._show = show
        self._patience_seconds = patience_seconds
        self._has_failed = threading.Event()
        self.model_id = ""

    def upload(self, target: Path, name: str | None = None, options: Mapping[str, Any] | None = None) -> str:
        """Send a file or a folder, have it imported, and return what the server says of it.

        Args:
            target: The file or folder.
            name: What to call the model; None takes the file's.
            options: What else the import shall know, as the API spells it.

        Raises:
            UploadFailed: It refused, or cannot be reached; the same call goes on later.
        """
        files = find_files(target)
        sha256 = fingerprint(files, Meter("Reading", sum(file.size_bytes for file in files), self._show))
        wish: dict[str, Any] = {"sha256": sha256, "modelName": name or target.absolute().stem}
        if target.is_file():
            wish |= {"fileName": files[0].name, "fileSize": files[0].size_bytes}
        else:
            wish["files"] = [{"path": file.name, "size": file.size_bytes} for file in files]
        # A size that is named makes the server find the unfinished upload of before.
        upload = self._ask("POST", "/v1/chunked-upload/start", wish | {"chunkSize": CHUNK_BYTES})
        self.model_id = str(upload["modelId"])
        if upload["sameModels"] and not name:
            return self._take_same(upload)
        while upload["receivedBytes"] < upload["fileSize"]:
            self._send(files, upload)
            # A server that lost its power, or its disk's space, may have lost the last chunks with it.
            upload = self._ask("GET", f"/v1/chunked-upload/{upload['modelId']}", None)
        done = self._ask("POST", "/v1/chunked-upload/complete", {"modelId": upload["modelId"], "sha256": sha256})
        known = {"modelId": upload["modelId"], "modelName": wish["modelName"], "filePath": done["path"]}
        body = {**(options or {}), **known}
        return str(self._ask("POST", "/v1/models/import", body)["message"])

    def status(self) -> dict[str, Any]:
        """Return how far the model is that the last upload became.

        Raises:
            UploadFailed: The server cannot be reached.
        """
        return self._ask("GET", f"/v1/models/{self.model_id}/status", None)

    def models(self) -> Sequence[dict[str, Any]]:
        """Return the models, ours and the engine's.

        Raises:
            UploadFailed: The server cannot be reached.
        """
        answer = self._ask("GET", "/v1/models", None)
        ours = {model["alias"]: model for model in answer["models"]}
        others = [model for model in answer["data"] if model["id"] not in ours]
        return [*ours.values(), *({"alias": model["id"], "name": model["root"], "active": True} for model in others)]

    def _take_same(self, upload: dict[str, Any]) -> str:
        self._ask("DELETE", f"/v1/chunked-upload/{upload['modelId']}", None)
        same = upload["sameModels"][0]
        self.model_id = str(same["id"])
        return f"It is here already, as '{same['alias']}'. Give a --name to have it twice."

    def _send(self, files: Sequence[LocalFile], upload: dict[str, Any]) -> None:
        meter = Meter("Sending", upload["fileSize"], self._show)
        meter.add(upload["receivedBytes"])
        received = {index for first, last in upload["received"] for index in range(first, last + 1)}
        chunks = [chunk for chunk in _chunks(files, upload) if chunk[0] not in received]
        with ThreadPoolExecutor(PARALLEL_CHUNKS) as pool:
            jobs = [pool.submit(self._send_chunk, upload["modelId"], chunk, meter) for chunk in chunks]
            for job in jobs:
                job.result()

    def _send_chunk(self, upload_id: str, chunk: tuple[int, Path, int, int], meter: Meter) -> None:
        index, source, offset, length = chunk
        body = FileSlice(source, offset, length, meter)
        try:
            self._ask("PUT", f"/v1/chunked-upload/{upload_id}/chunks/{index}", body)
        except BaseException:
            self._has_failed.set()  # The others need not try for minutes.
            raise

    def _ask(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """Send a request, again and again while the server is away, and return its answer."""
        deadline, pause = time.monotonic() + self._patience_seconds, 0.5
        while True:
            try:
                return self._try(method, path, body)
            except (requests.RequestException, OSError) as error:
                reason = error
            if isinstance(body, FileSlice):
                body.take_back()
            if time.monotonic() > deadline or self._has_failed.is_set():
                raise UploadFailed(
                    f"The server cannot be reached ({type(reason).__name__}). What it has is kept: give the same "
                    "command again to go on."
                ) from reason
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _try(self, method: str, path: str, body: Any) -> dict[str, Any]:
        answer = requests.request(
            method,
            self._url + path,
            **{"data" if isinstance(body, FileSlice) else "json": body},
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
        )
        with closing(answer):
            if answer.status_code in TRANSIENT:
                answer.raise_for_status()
            try:
                found = answer.json()
                if answer.ok:
                    return dict(found)
                message = str(found["error"]["message"])
            except (ValueError, KeyError, TypeError) as error:
                raise UploadFailed(f"{self._url} does not answer as a PremRunner does.") from error
            raise UploadFailed(message)


def _chunks(files: Sequence[LocalFile], upload: dict[str, Any]) -> Iterator[tuple[int, Path, int, int]]:
    """Yield each chunk: its index, its file, its offset and its length in bytes."""
    size = upload["chunkSize"]
    for local, entry in zip(files, upload["files"], strict=True):
        for number, offset in enumerate(range(0, local.size_bytes, size)):
            yield entry["firstChunk"] + number, local.source, offset, min(size, local.size_bytes - offset)
