"""The end: what is left, compared with what the load was promised."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from .ledger import Ledger
from .site import Site

SETTLE_SECONDS = 60
# A process that works may grow; one that leaks grows on.
GROWTH_BYTES = 150_000_000
GROWTH_DESCRIPTORS = 40
# A worker that is killed in the moment after an answer's last event does not live to say how it ended.
ENDED_WHOLE = ("ok", "interrupted")


class Growth:
    """Memory and descriptors of the server's processes, from the time when each was warm."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: dict[int, list[tuple[float, int, int]]] = {}

    def sample(self) -> None:
        for pid in self._site.family():
            try:
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            except OSError:
                continue
            self._seen.setdefault(pid, []).append((time.monotonic(), pages * 4096, descriptors))

    def report(self) -> Iterator[tuple[str, int, int]]:
        """Yield each process that lived for a while, with the growth of its memory and descriptors."""
        commands = self._site.family()
        for pid, samples in self._seen.items():
            warm = [sample for sample in samples if sample[0] - samples[0][0] > 30]
            if len(warm) >= 10 and pid in commands:
                third = len(warm) // 3
                first, last = warm[:third], warm[-third:]
                memory = min(sample[1] for sample in last) - max(sample[1] for sample in first)
                descriptors = min(sample[2] for sample in last) - max(sample[2] for sample in first)
                yield commands[pid], memory, descriptors


def judge(site: Site, ledger: Ledger, growth: Growth) -> None:
    """Add what is wrong to the ledger's findings; the server runs, and nobody uses it any more."""
    _wait_until(lambda: _get(site, "/api/ollama/status").get("status") == "running")
    if not _wait_until(lambda: not _unfinished_imports(site)):
        ledger.find(f"imports that never end: {_unfinished_imports(site)}")
    for model in ledger.kept:
        if not _wait_until(lambda model=model: _answers(site, model)):
            ledger.find(f"model {model} came in and does not answer at the end")
    _delete_all(site)
    if not _wait_until(lambda: not _running_traces(site)):
        ledger.find(f"traces that never end: {_running_traces(site)}")
    for call, is_whole in ledger.calls.items():
        trace = _get(site, f"/v1/traces/{call}")
        if "status" not in trace:
            ledger.find(f"call {call} has no trace: {trace}")
        elif is_whole and trace["status"] not in ENDED_WHOLE:
            ledger.find(f"call {call} was answered whole, and its trace says {trace['status']}")
    if not _wait_until(lambda: not leftovers(site.data_path)):
        ledger.find(f"files are left: {leftovers(site.data_path)}")
    for command, memory, descriptors in growth.report():
        if memory > GROWTH_BYTES or descriptors > GROWTH_DESCRIPTORS:
            ledger.find(f"growth by {memory / 1e6:.0f} MB and {descriptors} descriptors: {command}")


def judge_end(site: Site, ledger: Ledger) -> None:
    """Stop the server, and look whether anything of it still runs."""
    try:
        code = site.stop()
    except subprocess.TimeoutExpired:
        ledger.find("the server did not end when it was told to")
        return
    if code != 0:
        ledger.find(f"the server ended with {code}")
    time.sleep(1)
    if orphans := site.family():
        ledger.find(f"processes are left: {orphans}")


def leftovers(data_path: Path) -> list[str]:
    """Return the files of uploads, imports and models; with none of these there shall be none."""
    folders = ("work", "uploads", "engine/builtin/blobs", "downloads")
    return [str(path) for folder in folders for path in (data_path / folder).rglob("*") if path.is_file()]


def _wait_until(holds) -> bool:
    deadline = time.monotonic() + SETTLE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def _answers(site: Site, model: str) -> bool:
    body = {"model": model, "max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]}
    return requests.post(f"{site.url}/v1/chat/completions", json=body, headers=site.headers, timeout=90).ok


def _get(site: Site, path: str) -> dict:
    return requests.get(site.url + path, headers=site.headers, timeout=60).json()


def _unfinished_imports(site: Site) -> list[str]:
    imports = _get(site, "/v1/imports")["imports"]
    return [f"{one['id']} {one['status']}" for one in imports if one["status"] in ("queued", "importing")]


def _delete_all(site: Site) -> None:
    for one in _get(site, "/v1/imports")["imports"]:
        requests.delete(f"{site.url}/v1/models/{one['id']}", headers=site.headers, timeout=60)
    for upload in _get(site, "/v1/chunked-upload")["uploads"]:
        requests.delete(f"{site.url}/v1/chunked-upload/{upload['modelId']}", headers=site.headers, timeout=60)


def _running_traces(site: Site) -> list[str]:
    first = _get(site, "/v1/traces?limit=100")
    traces = list(first["traces"])
    for page in range(2, (first.get("pages") or 1) + 1):
        traces += _get(site, f"/v1/traces?limit=100&page={page}")["traces"]
    return [trace["id"] for trace in traces if trace["status"] == "running"]
