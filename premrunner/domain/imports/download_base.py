"""Bring a base from where BASE_MODEL_URL says, into the bases that are kept here."""

import http.client
import time
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path

from premrunner.domain.imports.run import ImportRun
from premrunner.errors import DownloadFailed
from premrunner.net.http import Cancellation
from premrunner.net.remote import open_remote
from premrunner.records import Base
from premrunner.storage.disk_errors import disk_errors
from premrunner.weights.base_search import BaseCandidate, base_names, download_base, is_hub_id
from premrunner.weights.errors import BaseNotFound
from premrunner.weights.json_file import MAX_JSON_BYTES
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.source_digests import SourceDigests

READ_BYTES = 1024 * 1024
# A broken connection is taken up again; after so many times without a single new byte it is the user's turn.
FRUITLESS_TRIES = 3
RETRY_PAUSE_SECONDS = 1.0


def downloaded(run: ImportRun, name: str) -> BaseCandidate | None:
    """Download a base and return it; None where nothing says from where, or the name is no hub's.

    Raises:
        BaseNotFound: There is no such model.
        DownloadFailed: The server failed; what has arrived is kept for the next try.
        DiskFull: It does not fit.
        Cancelled: Somebody asked to stop.
    """
    if not run.tools.base_model_url:
        return None
    missing: BaseNotFound | None = None
    for hub_id in hub_ids(name):
        try:
            return _downloaded(run, hub_id)
        except BaseNotFound as error:
            missing = missing or error
    if missing:
        raise missing
    return None


def hub_ids(name: str) -> list[str]:
    """Return the hub's ids that a name may mean; a path of a training machine means none."""
    is_path = name.count("/") > 1 and "models--" not in name
    # Reversed: of a quantized copy, the model itself comes first.
    return [] if is_path else [known for known in reversed(base_names(name)) if is_hub_id(known)]


def _downloaded(run: ImportRun, hub_id: str) -> BaseCandidate:
    base_id = hub_id.replace("/", "--")
    folder = run.tools.bases.unfinished(base_id)
    try:
        download_base(run.tools.base_model_url, hub_id, folder, _Fetching(run).fetch)
    except BaseNotFound:
        run.tools.bases.give_up(base_id)
        raise
    run.report.say("Checking what was downloaded.")
    paths = sorted(folder.iterdir())
    with SourceDigests(OpenFiles()) as running:
        running.follow(paths, run.watch.check)
        digests = {path.name: running.of(path) for path in paths}
    base = run.tools.bases.finish(Base(base_id, hub_id, (hub_id,), "download", 0, datetime.now(timezone.utc), digests))
    return BaseCandidate(run.tools.bases.folder(base.id), (hub_id,))


class _Fetching:
    """Fetches files for one import; a try that broke off is taken up where it was."""

    def __init__(self, run: ImportRun) -> None:
        self._run = run
        self._cancellation = Cancellation()

    def fetch(self, url: str, path: Path) -> bool:
        """Bring one file; False where there is none of that name."""
        if path.exists():
            return True
        partial = path.with_name(f"{path.name}.partial")
        self._run.report.say(f"Downloading the base: {path.name}.")
        fruitless = 0
        with self._stopping():
            while True:
                before = _size(partial)
                try:
                    is_there = self._fetch_rest(url, partial)
                    break
                except (OSError, http.client.HTTPException) as error:
                    self._run.watch.check()
                    fruitless = 0 if _size(partial) > before else fruitless + 1
                    if fruitless >= FRUITLESS_TRIES:
                        raise DownloadFailed(
                            f"The base could not be downloaded: {path.name} broke off ({type(error).__name__})."
                        ) from error
                    time.sleep(RETRY_PAUSE_SECONDS * fruitless)
        if is_there:
            with disk_errors():
                partial.replace(path)
        return is_there

    def _stopping(self) -> AbstractContextManager[None]:
        return self._run.watch.stopping(self._cancellation.cancel)

    def _fetch_rest(self, url: str, partial: Path) -> bool:
        start = _size(partial)
        headers = {"Range": f"bytes={start}-"} if start else {}
        with open_remote(url, headers, self._cancellation) as reply:
            if reply.status in (401, 403, 404, 410):
                return False
            if reply.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                partial.unlink()
                return self._fetch_rest(url, partial)
            if reply.status not in (http.client.OK, http.client.PARTIAL_CONTENT):
                raise DownloadFailed(f"The base could not be downloaded: its server answered {reply.status}.")
            is_continued = reply.status == http.client.PARTIAL_CONTENT and _range_start(reply) == start
            self._take(reply, partial, start if is_continued else 0)
            return True

    def _take(self, reply: http.client.HTTPResponse, partial: Path, start: int) -> None:
        # A file of unknown length can only be a small one.
        total = start + reply.length if reply.length is not None else MAX_JSON_BYTES
        self._run.require_space(total - start, "Downloading the base")
        received = start
        with disk_errors():
            file = partial.open("ab" if start else "wb", buffering=0)
        with file:
            while piece := reply.read1(READ_BYTES):
                self._run.watch.check()
                received += len(piece)
                if received > total:
                    raise DownloadFailed(f"The base could not be downloaded: {partial.stem} is longer than announced.")
                with disk_errors():
                    file.write(piece)
                self._run.report.advance(received, total)
        if reply.length:
            raise http.client.IncompleteRead(b"", reply.length)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _range_start(reply: http.client.HTTPResponse) -> int | None:
    """Return the first byte's position by ``Content-Range: bytes 5-9/10``."""
    start = (reply.headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdecimal() else None
