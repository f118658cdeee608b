"""Fetch one large file whose checksum is known; what has arrived is kept, and the next try goes on from there."""

import hashlib
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import requests

from premrunner.errors import InstallFailed, StorageFailed

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

CONNECT_SECONDS = 10.0
# Longest silence of a server that is sending.
READ_SECONDS = 60.0
# A broken connection is taken up again; after so many times without a single new byte it is the user's turn.
_FRUITLESS_TRIES = 3
_RETRY_PAUSE_SECONDS = 1.0
# What is lost when a connection breaks.
_CHUNK_BYTES = 64 * 1024
# The disk stays usable for everything else.
_RESERVE_BYTES = 256 * 1024 * 1024


class Download:
    """One file on its way to the disk.

    Args:
        session: Makes the requests; its proxies and certificates apply.
        url: Where the file is; redirects are followed, though never from https to http.
        path: Where it will be, under its name with ``.partial`` until it is whole.
        sha256: Its checksum, in lower-case hex.
        progress: Called with bytes on disk and in all.
        unpacked_ratio: Free space needed for what comes after, in sizes of the file.
        free_bytes: Returns the free space of a folder.
    """

    def __init__(
        self,
        session: requests.Session,
        url: str,
        path: Path,
        sha256: str,
        *,
        progress: Progress,
        unpacked_ratio: float = 0.0,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._session = session
        self._url = url
        self._path = path
        self._sha256 = sha256
        self._progress = progress
        self._unpacked_ratio = unpacked_ratio
        self._free_bytes = free_bytes
        self._partial = path.with_name(f"{path.name}.partial")
        self._etag_file = path.with_name(f"{path.name}.etag")

    def fetch(self) -> Path:
        """Fetch what is missing, verify the whole and return its path.

        Raises:
            InstallFailed: The server fails or what it sent is not the file; the text says how to go on.
            StorageFailed: No space, or the disk failed.
        """
        if self._path.exists():  # Whole already, but what came after failed; it is verified again.
            self._path.replace(self._partial)
        fruitless = 0
        while True:
            size_before = self._size()
            try:
                self._fetch_rest()
                break
            except requests.RequestException as error:
                fruitless = 0 if self._size() > size_before else fruitless + 1
                logger.warning("the download was interrupted: %s", type(error).__name__)
                if fruitless >= _FRUITLESS_TRIES:
                    raise InstallFailed(self._interrupted(error)) from error
                time.sleep(_RETRY_PAUSE_SECONDS * fruitless)
            except OSError as error:
                raise StorageFailed(f"The download could not be written: {error.strerror}.") from error
        self._verify()
        self._partial.replace(self._path)
        self._etag_file.unlink(missing_ok=True)
        return self._path

    def _fetch_rest(self) -> None:
        received = self._size()
        headers = {"Accept-Encoding": "identity"}
        if received:
            headers["Range"] = f"bytes={received}-"
            # Without a strong tag the checksum at the end has to tell whether the two halves belong together.
            if etag := self._etag():
                headers["If-Range"] = etag
        with self._session.get(
            self._url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)
        ) as reply:
            refuse_downgrade(self._url, reply)
            if received and reply.status_code == requests.codes.requested_range_not_satisfiable:
                # All of it is here already, or more than all; in the second case the checksum starts it over.
                return
            _raise_for_status(reply)
            is_continued = reply.status_code == requests.codes.partial_content and _range_start(reply) == received
            received = received if is_continued else 0
            total = received + int(reply.headers.get("Content-Length") or 0)
            self._require_space(total, received)
            self._etag_file.write_text(_strong_etag(reply), encoding="latin-1")
            self._append(reply, received, total)

    def _append(self, reply: requests.Response, received: int, total: int) -> None:
        with self._partial.open("ab" if received else "wb") as file:
            self._progress(received, total)
            for chunk in reply.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                received += len(chunk)
                self._progress(received, max(total, received))

    def _require_space(self, total_bytes: int, received_bytes: int) -> None:
        needed = total_bytes - received_bytes + int(total_bytes * self._unpacked_ratio) + _RESERVE_BYTES
        free = self._free_bytes(self._path.parent)
        if needed > free:
            raise StorageFailed(
                f"Not enough space for Ollama: {_gigabytes(needed)} are needed and {_gigabytes(free)} are free. "
                "Make room, or set DATA_PATH to a folder on another disk."
            )

    def _verify(self) -> None:
        digest = hashlib.sha256()
        with self._partial.open("rb") as file:
            while data := file.read(_CHUNK_BYTES):
                digest.update(data)
        if digest.hexdigest() != self._sha256:
            self._partial.unlink()
            self._etag_file.unlink(missing_ok=True)
            raise InstallFailed(
                "What was downloaded is not what the release lists: its checksum differs. It was thrown away; "
                "a new release may just have come out, so try again."
            )

    def _interrupted(self, error: requests.RequestException) -> str:
        if isinstance(error, requests.HTTPError) and error.response is not None:
            return f"{self._url} answered with status {error.response.status_code}. Try again later."
        return (
            f"The download from {self._url} was interrupted after {_gigabytes(self._size())}. "
            "What has arrived is kept: run the command again to go on from there."
        )

    def _size(self) -> int:
        return self._partial.stat().st_size if self._partial.exists() else 0

    def _etag(self) -> str:
        return self._etag_file.read_text(encoding="latin-1") if self._etag_file.exists() else ""


def refuse_downgrade(url: str, reply: requests.Response) -> None:
    """Refuse an answer that came over an open connection though a closed one was asked for.

    Raises:
        InstallFailed: It did.
    """
    hops = [*reply.history, reply]
    if url.startswith("https:") and not all(hop.url.startswith("https:") for hop in hops):
        raise InstallFailed(f"{url} leads to an address without https; nothing was taken from there.")


def _raise_for_status(reply: requests.Response) -> None:
    """Pass faults of the server on as requests' own, to be tried again; what is final ends the download."""
    if 400 <= reply.status_code < 500 and reply.status_code != requests.codes.too_many_requests:
        raise InstallFailed(f"{reply.url} answered with status {reply.status_code}: this release has no such file.")
    reply.raise_for_status()


def _range_start(reply: requests.Response) -> int | None:
    """Return the first byte's position by ``Content-Range: bytes 5-9/10``."""
    start = reply.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdecimal() else None


def _strong_etag(reply: requests.Response) -> str:
    etag = reply.headers.get("ETag", "")
    return "" if etag.startswith("W/") else etag


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.2f} GB"
