"""``premrunner upload``: send a model to a PremRunner, here or elsewhere, with resume and in parallel.

Nothing is remembered on this side: the files are hashed first, and by the hash the server knows whether it has them
already, or a part of them, so that the same command, given again, goes on where it stopped.
"""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from premrunner.errors import PremRunnerError

READ_BYTES = 1024 * 1024
CHUNK_BYTES = 16 * 1024 * 1024  # Small enough that a bad line loses little, with four on the way at once.
PARALLEL_CHUNKS = 4
# A laptop that wakes up, or a server that restarts, is back within this; later the same command goes on.
PATIENCE_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 15.0
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0
# The rate is that of the last seconds: the mean of a whole day says nothing of now.
RATE_WINDOW_SECONDS = 5.0
REDRAW_SECONDS = 0.2
# What may go away by itself: the body was cut or stalled, the server is busy or restarts.
TRANSIENT = {408, 429, 499, 500, 502, 503, 504}

Show = Callable[[str], None]


@dataclass(frozen=True)
class LocalFile:
    """A file to send.

    Attributes:
        name: What the server calls it: its name, with its folders below the one that is sent.
        source: Where it is.
        size_bytes: How large it was when it was found.
    """

    name: str
    source: Path
    size_bytes: int


class UploadFailed(PremRunnerError):
    """The server refused, or cannot be reached."""


def find_files(target: Path) -> Sequence[LocalFile]:
    """Return the file, or every file of a folder but the hidden ones."""
    target = target.absolute()
    if target.is_file():
        return [LocalFile(target.name, target, target.stat().st_size)]
    found = []
    for path in sorted(target.rglob("*")):
        inside = path.relative_to(target)
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            found.append(LocalFile(f"{target.name}/{inside.as_posix()}", path, path.stat().st_size))
    return found


class Meter:
    """Counts bytes and draws them as one line: a bar, the rate and the time left.

    Args:
        label: What is going on.
        total_bytes: How many there are.
        show: Takes the line, which replaces the one before.
    """

    def __init__(self, label: str, total_bytes: int, show: Show) -> None:
        self._label = label
        self._total = total_bytes
        self._show = show
        self._done = 0
        self._drawn_at = 0.0
        self._samples: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def add(self, size_bytes: int) -> None:
        """Count more bytes; fewer, where some have to be sent again."""
        with self._lock:
            self._done += size_bytes
            now = time.monotonic()
            if now - self._drawn_at > REDRAW_SECONDS or self._done == self._total:
                self._drawn_at = now
                self._show(self._line(now))

    def _line(self, now: float) -> str:
        self._samples.append((now, self._done))
        while now - self._samples[0][0] > RATE_WINDOW_SECONDS:
            self._samples.popleft()
        (since, before), share = self._samples[0], self._done / max(self._total, 1)
        rate = (self._done - before) / (now - since) if now > since else 0.0
        left = f", {_duration((self._total - self._done) / rate)} left" if rate > 0 and share < 1 else ""
        bar = "#" * int(share * 20)
        sizes = f"{self._done / 1e9:.2f} of {self._total / 1e9:.2f} GB"
        return f"{self._label} [{bar:<20}] {share:4.0%}  {sizes}, {rate / 1e6:.1f} MB/s{left}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


class FileSlice:
    """A part of a file as a request's body."""

    def __init__(self, source: Path, offset_bytes: int, length_bytes: int, meter: Meter) -> None:
        self._source = source
        self._offset = offset_bytes
        self._length = length_bytes
        self._meter = meter
        self.sent_bytes = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        with self._source.open("rb") as file:
            file.seek(self._offset)
            while self.sent_bytes < self._length and (
                data := file.read(min(READ_BYTES, self._length - self.sent_bytes))
            ):
                yield data
                self.sent_bytes += len(data)
                self._meter.add(len(data))


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
        sha256 = self._hash(files)
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
        if not upload["alreadyHere"]:
            self._send(files, upload)
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

    def _hash(self, files: Sequence[LocalFile]) -> str:
        meter = Meter("Reading", sum(file.size_bytes for file in files), self._show)
        digests = {}
        for local in files:
            digest = hashlib.sha256()
            for data in FileSlice(local.source, 0, local.size_bytes, meter):
                digest.update(data)
            digests[local.name] = digest.hexdigest()
        if len(files) == 1:
            return digests[files[0].name]
        # As the server reckons it: see docs/uploads.md.
        lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
        return hashlib.sha256(lines.encode()).hexdigest()

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

        def body() -> FileSlice:
            return FileSlice(source, offset, length, meter)

        try:
            self._ask("PUT", f"/v1/chunked-upload/{upload_id}/chunks/{index}", body)
        except BaseException:
            self._has_failed.set()  # The others need not try for minutes.
            raise

    def _ask(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """Send a request, again and again while the server is away, and return its answer."""
        deadline, pause = time.monotonic() + self._patience_seconds, 0.5
        while True:
            slice_or_none = body() if callable(body) else None
            try:
                return self._try(method, path, slice_or_none, body)
            except (requests.RequestException, OSError) as error:
                reason = error
            if isinstance(slice_or_none, FileSlice):
                slice_or_none._meter.add(-slice_or_none.sent_bytes)
            if time.monotonic() > deadline or self._has_failed.is_set():
                raise UploadFailed(
                    f"The server cannot be reached ({type(reason).__name__}). What it has is kept: give the same "
                    "command again to go on."
                ) from reason
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _try(self, method: str, path: str, data: FileSlice | None, body: Any) -> dict[str, Any]:
        answer = requests.request(
            method,
            self._url + path,
            data=data,
            json=None if data is not None else body,
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
