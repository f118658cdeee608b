"""Measure uploads against nginx and cp, side by side in one run, and print markdown tables of ratios.

Run: ``.venv/bin/python -m bench.uploads [--quick] [--folder DIR] [--disk DIR]``. nginx (Debian's ``nginx-light`` has
WebDAV) is used when it is installed. Each measure is repeated, the configurations in turn; medians are shown. Trust the
ratios and the CPU seconds: megabytes a second belong to the machine.
"""

import argparse
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from flask import Flask, Response

TOKEN = "a-token-for-benches"
MIB = 1024 * 1024
CHUNK_BYTES = 50 * MIB
ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")

NGINX_CONF = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0; client_body_buffer_size 1m;
  client_body_temp_path {folder}/temp; keepalive_requests 100000;
  server {{
    listen 127.0.0.1:{port}; root {folder}/files;
    location / {{ dav_methods PUT DELETE; create_full_put_path on; }}
  }}
}}
"""


def app() -> Flask:
    """Return the site with a stream whose events are due at known moments; with BENCH_HASH=off it does not hash."""
    from premrunner.app import create_app

    site = create_app()
    if os.environ.get("BENCH_HASH") == "off":
        site.extensions["premrunner"].receiving._hashes.follow = lambda upload: None

    @site.get("/v1/bench/stream")
    def stream() -> Response:
        def events() -> Iterator[bytes]:
            begun = time.monotonic()
            for number in range(200):
                due = begun + number * 0.05
                time.sleep(max(due - time.monotonic(), 0))
                yield b"data: %.6f\n\n" % due

        return Response(events(), mimetype="text/event-stream")

    return site


@dataclass
class Server:
    """A server under test: its port and the processes whose CPU and memory count."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def workers(self) -> list[int]:
        """Return the processes that do the work."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children] or [self.process.pid]

    def cpu_seconds(self) -> float:
        """Return the CPU time they have used."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in self.workers]
        return sum(int(values[11]) + int(values[12]) for values in fields) / TICKS

    def rss_bytes(self, name: str = "VmRSS") -> int:
        """Return the first one's memory."""
        lines = Path(f"/proc/{self.workers[0]}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

    def reset_peak(self) -> None:
        """Let its peak of memory begin anew."""
        Path(f"/proc/{self.workers[0]}/clear_refs").write_text("5")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    """Return when somebody listens."""
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"Nothing listens on {port}.")


@contextmanager
def premrunner(folder: Path, name: str = "PremRunner", **environment: str) -> Iterator[Server]:
    """Run the site on a fresh data folder."""
    data, port = folder / name.replace(" ", "-"), free_port()
    names = {
        "DATA_PATH": str(data),
        "PORT": str(port),
        "AUTH_TOKEN": TOKEN,
        "PREMRUNNER_SUPERVISOR_PID": str(os.getpid()),
        "LOG_LEVEL": "warning",
        "WEB_WORKERS": "1",
    }
    environment = os.environ | names | environment
    subprocess.run([sys.executable, "-m", "premrunner", "database", "upgrade"], env=environment, check=True, cwd=ROOT)
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "bench.uploads:app()"]
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        wait_for(port)
        requests.get(f"http://127.0.0.1:{port}/health", timeout=30)
        yield Server(name, port, process, data)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def nginx(folder: Path) -> Iterator[Server | None]:
    """Run nginx with WebDAV; yields None where it is not installed."""
    if shutil.which("nginx") is None:
        yield None
        return
    place, port = folder / "nginx", free_port()
    for name in ("temp", "files"):
        (place / name).mkdir(parents=True)
    place.chmod(0o777)
    (place / "nginx.conf").write_text(NGINX_CONF.format(folder=place, port=port))
    subprocess.run(["chmod", "-R", "777", str(place)], check=True)
    process = subprocess.Popen(["nginx", "-c", str(place / "nginx.conf"), "-p", str(place)], stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield Server("nginx", port, process, place)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(place, ignore_errors=True)


class Sender:
    """A client that costs little: one keep-alive connection, bodies by sendfile."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._socket = socket.create_connection(("127.0.0.1", server.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def send(
        self,
        method: str,
        path: str,
        source: int,
        offset: int,
        length: int,
        before: bytes = b"",
        after: bytes = b"",
        content_type: str = "application/octet-stream",
    ) -> int:
        """Send a request, part of a file as its body, and return the status of the answer."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(before) + length + len(after)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + before)
        while length:
            sent = os.sendfile(self._socket.fileno(), source, offset, min(length, 4 * MIB))
            offset, length = offset + sent, length - sent
        if after:
            self._socket.sendall(after)
        return self._answer()

    def _answer(self) -> int:
        status = int(self._answers.readline().split()[1])
        length = 0
        while (line := self._answers.readline().strip()) != b"":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = self._answers.read(length)
        if status >= 300:
            raise RuntimeError(f"{self._server.name} answered {status}: {body[:300]!r}")
        return status

    def close(self) -> None:
        """Close the connection."""
        self._answers.close()
        self._socket.close()


def call(server: Server, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Ask for JSON."""
    answer = requests.request(
        method,
        f"http://127.0.0.1:{server.port}{path}",
        json=body,
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=300,
    )
    answer.raise_for_status()
    return dict(answer.json())


def start(server: Server, size: int, chunk: int = CHUNK_BYTES) -> str:
    """Begin an upload and return its id."""
    body = {"fileName": "bench.gguf", "fileSize": size, "modelName": "bench", "chunkSize": chunk}
    return str(call(server, "POST", "/v1/chunked-upload/start", body)["modelId"])


def send_raw(server: Server, source: int, size: int, pace: float = 0.0, connections: int = 1) -> Callable[[], None]:
    """Send all chunks and return what cleans up."""
    begun = time.monotonic()
    is_nginx = server.name == "nginx"
    upload = "" if is_nginx else start(server, size)

    def send(first: int) -> None:
        sender = Sender(server)
        for index in range(first, -(-size // CHUNK_BYTES), connections):
            offset = index * CHUNK_BYTES
            if pace:
                time.sleep(max(begun + offset / pace - time.monotonic(), 0))
            path = f"/{index}" if is_nginx else f"/v1/chunked-upload/{upload}/chunks/{index}"
            sender.send("PUT", path, source, offset, min(CHUNK_BYTES, size - offset))
        sender.close()

    threads = [threading.Thread(target=send, args=(first,)) for first in range(1, connections)]
    for thread in threads:
        thread.start()
    send(0)
    for thread in threads:
        thread.join()

    def clean() -> None:
        if is_nginx:
            shutil.rmtree(server.folder / "files")
            (server.folder / "files").mkdir(mode=0o777)
            (server.folder / "files").chmod(0o777)
        else:
            call(server, "DELETE", f"/v1/chunked-upload/{upload}")

    clean.upload = upload  # type: ignore[attr-defined]
    return clean


def send_forms(server: Server, source: int, size: int, file_first: bool) -> Callable[[], None]:
    """Send all chunks in the original's form and return what cleans up."""
    sender, upload = Sender(server), start(server, size)
    total = -(-size // CHUNK_BYTES)
    for index, offset in enumerate(range(0, size, CHUNK_BYTES)):
        fields = b"".join(
            b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, value)
            for name, value in (
                (b"modelId", upload.encode()),
                (b"chunkIndex", b"%d" % index),
                (b"totalChunks", b"%d" % total),
            )
        )
        file = b'--b\r\nContent-Disposition: form-data; name="chunk"; filename="blob"\r\n\r\n'
        before, after = (file, b"\r\n" + fields + b"--b--\r\n") if file_first else (fields + file, b"\r\n--b--\r\n")
        sender.send(
            "POST",
            "/v1/chunked-upload/chunk",
            source,
            offset,
            min(CHUNK_BYTES, size - offset),
            before,
            after,
            "multipart/form-data; boundary=b",
        )
    sender.close()
    return lambda: call(server, "DELETE", f"/v1/chunked-upload/{upload}") and None


@dataclass
class Figures:
    """What one configuration measured, a value a repeat."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def add(self, server: Server, run: Callable[[], Callable[[], None]]) -> None:
        """Run once and take the figures."""
        cpu, begun = server.cpu_seconds(), time.monotonic()
        clean = run()
        self.seconds.append(time.monotonic() - begun)
        time.sleep(0.3)  # The hash of the last chunk, if there is one, belongs to the bill.
        self.cpu_seconds.append(server.cpu_seconds() - cpu)
        clean()


def source_file(folder: Path, size: int) -> Path:
    """Make a file that does not compress."""
    path = folder / "source"
    block = os.urandom(MIB)
    with path.open("wb") as file:
        for number in range(size // MIB):
            file.write(number.to_bytes(8, "little") + block[8:])
    return path


def bodies(folder: Path, size: int, repeats: int, title: str) -> None:
    """Compare the ways of a body to the disk."""
    source = os.open(source_file(folder, size), os.O_RDONLY)
    with (
        nginx(folder) as peer,
        premrunner(folder) as ours,
        premrunner(folder, "PremRunner without hash", BENCH_HASH="off") as plain,
    ):
        runs: dict[str, tuple[Server, Callable[[], Callable[[], None]]]] = {}
        if peer:
            runs["nginx PUT"] = (peer, lambda: send_raw(peer, source, size))
        runs["raw chunks"] = (ours, lambda: send_raw(ours, source, size))
        runs["raw chunks, no hash"] = (plain, lambda: send_raw(plain, source, size))
        runs["form, file last"] = (ours, lambda: send_forms(ours, source, size, False))
        runs["form, file first"] = (ours, lambda: send_forms(ours, source, size, True))
        runs["form, file last, no hash"] = (plain, lambda: send_forms(plain, source, size, False))
        runs["form, file first, no hash"] = (plain, lambda: send_forms(plain, source, size, True))
        figures = {name: Figures() for name in runs}
        for repeat in range(repeats + 1):
            for name, (server, run) in runs.items():
                (figures[name] if repeat else Figures()).add(server, run)  # The first warms up.
    hashing = sha256_cpu_seconds(folder / "source")
    os.close(source)
    (folder / "source").unlink()
    peer_figures = figures.get("nginx PUT")
    print(f"\n### {title}: {size // MIB} MiB in 50 MiB chunks, 1 connection, {repeats} repeats\n")
    print("| path | MB/s median (min-max) | x nginx MB/s | server CPU s/GB | x nginx CPU | x (nginx + sha256sum) CPU |")
    print("|---|---|---|---|---|---|")
    for name, values in figures.items():
        rates = [size / 1e6 / seconds for seconds in values.seconds]
        cpu = statistics.median(values.cpu_seconds)
        line = f"| {name} | {statistics.median(rates):.0f} ({min(rates):.0f}-{max(rates):.0f}) "
        if peer_figures:
            ratios = [theirs / mine for theirs, mine in zip(peer_figures.seconds, values.seconds, strict=True)]
            peer_cpu = statistics.median(peer_figures.cpu_seconds)
            line += f"| {statistics.median(ratios):.2f} | {cpu / size * 1e9:.2f} "
            line += f"| {cpu / peer_cpu:.2f} | {cpu / (peer_cpu + hashing):.2f} |"
        else:
            line += f"| - | {cpu / size * 1e9:.2f} | - | - |"
        print(line, flush=True)


def sha256_cpu_seconds(path: Path) -> float:
    """Return the CPU time that hashing the file takes."""
    digest, begun = hashlib.sha256(), time.process_time()
    with path.open("rb") as file:
        while data := file.read(MIB):
            digest.update(data)
    return time.process_time() - begun


def to_disk(folder: Path, size: int, repeats: int) -> None:
    """Compare an upload with a copy, both until all is on disk."""
    path = source_file(folder, size)
    source = os.open(path, os.O_RDONLY)
    found: dict[str, list[float]] = {
        name: [] for name in ("cp + sync", "nginx + sync", "1 connection", "4 connections")
    }
    with premrunner(folder) as ours, nginx(folder) as peer:

        def copy() -> Callable[[], None]:
            subprocess.run(["cp", str(path), str(folder / "copy")], check=True)
            return (folder / "copy").unlink

        runs = {
            "cp + sync": copy,
            "1 connection": lambda: send_raw(ours, source, size),
            "4 connections": lambda: send_raw(ours, source, size, connections=4),
        }
        if peer:
            runs["nginx + sync"] = lambda: send_raw(peer, source, size)
        for _ in range(repeats):
            for name, run in runs.items():
                os.sync()
                begun = time.monotonic()
                clean = run()
                os.sync()
                found[name].append(time.monotonic() - begun)
                clean()
    os.close(source)
    path.unlink()
    print(
        f"\n### {size // MIB} MiB to disk including sync, {repeats} repeats\n\n"
        "| | seconds median (min-max) | x cp |\n|---|---|---|"
    )
    for name, values in found.items():
        if values:
            ratio = statistics.median(mine / theirs for mine, theirs in zip(values, found["cp + sync"], strict=True))
            print(
                f"| {name} | {statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f}) | {ratio:.2f} |",
                flush=True,
            )


def p99(values: list[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    return sorted(values)[int(len(values) * 0.99)] * 1000


def get_latencies(server: Server, seconds: float) -> list[float]:
    """Return how long trivial requests took."""
    connection = Sender(server)
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        connection.send("GET", "/health", 0, 0, 0)
        found.append(time.monotonic() - begun)
        time.sleep(0.005)
    connection.close()
    return found


def sse_latencies(server: Server, streams: int, seconds: float) -> list[float]:
    """Return how late each event came, measured by a process of its own."""
    code = f"""
import json, selectors, socket, time
selector, found, rests = selectors.DefaultSelector(), [], {{}}
for _ in range({streams}):
    connection = socket.create_connection(("127.0.0.1", {server.port}))
    connection.sendall(b"GET /v1/bench/stream HTTP/1.1\\r\\nHost: b\\r\\nAuthorization: Bearer {TOKEN}\\r\\n\\r\\n")
    selector.register(connection, selectors.EVENT_READ)
    rests[connection] = b""
    time.sleep(0.01)
begin = time.monotonic() + 0.1  # Before, nobody read while connections were made.
end = begin + {seconds}
while time.monotonic() < end:
    for key, _ in selector.select(0.1):
        data, now = key.fileobj.recv(65536), time.monotonic()
        rests[key.fileobj] += data
        *lines, rests[key.fileobj] = rests[key.fileobj].split(b"\\n")
        found += [now - float(line[6:]) for line in lines if line.startswith(b"data: ") and float(line[6:]) > begin]
print(json.dumps(found))
"""
    return list(json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout))


@contextmanager
def uploading(server: Server, source: int, size: int) -> Iterator[list[float]]:
    """Send at full speed, again and again, while the block runs."""
    ending, rates = threading.Event(), []

    def run() -> None:
        while not ending.is_set():
            begun = time.monotonic()
            clean = send_raw(server, source, size)
            rates.append(size / 1e6 / (time.monotonic() - begun))
            clean()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield rates
    finally:
        ending.set()
        thread.join()


def latencies(folder: Path, size: int, repeats: int) -> None:
    """Measure what others notice of an upload."""
    source = os.open(source_file(folder, size), os.O_RDONLY)
    found: dict[str, list[float]] = {name: [] for name in ("GET idle", "GET upload", "SSE idle", "SSE upload")}
    with premrunner(folder) as ours:
        for _ in range(repeats):
            found["GET idle"].append(p99(get_latencies(ours, 3)))
            with uploading(ours, source, size):
                found["GET upload"].append(p99(get_latencies(ours, 4)))
            found["SSE idle"].append(p99(sse_latencies(ours, 50, 4)))
            with uploading(ours, source, size):
                found["SSE upload"].append(p99(sse_latencies(ours, 50, 5)))
    os.close(source)
    (folder / "source").unlink()
    print(
        f"\n### p99 of others during a full-speed upload, {repeats} repeats\n\n| | p99 ms median (min-max) |\n|---|---|"
    )
    for name, values in found.items():
        print(f"| {name} | {statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f}) |", flush=True)


def memory(folder: Path, size: int) -> None:
    """Measure the memory that one large PUT takes."""
    source = os.open(source_file(folder, 64 * MIB), os.O_RDONLY)
    with premrunner(folder) as ours:
        send_raw(ours, source, 64 * MIB)()
        before = ours.rss_bytes()
        ours.reset_peak()
        upload, sender = start(ours, size, size), Sender(ours)
        head = (
            f"PUT /v1/chunked-upload/{upload}/chunks/0 HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Length: {size}\r\n\r\n"
        )
        begun = time.monotonic()
        sender._socket.sendall(head.encode())
        for _ in range(size // (64 * MIB)):
            os.lseek(source, 0, os.SEEK_SET)
            for piece in range(16):
                offset = piece * 4 * MIB
                while offset < (piece + 1) * 4 * MIB:
                    offset += os.sendfile(sender._socket.fileno(), source, offset, (piece + 1) * 4 * MIB - offset)
        sender._answer()
        seconds, peak = time.monotonic() - begun, ours.rss_bytes("VmHWM")
        call(ours, "DELETE", f"/v1/chunked-upload/{upload}")
    os.close(source)
    (folder / "source").unlink()
    print(f"\n### Memory: one PUT of {size / 1e9:.1f} GB to disk ({size / 1e6 / seconds:.0f} MB/s)\n")
    print(
        f"RSS before {before / MIB:.1f} MiB, peak {peak / MIB:.1f} MiB, growth {(peak - before) / MIB:.1f} MiB",
        flush=True,
    )


def completion(folder: Path, size: int, repeats: int) -> None:
    """Measure how long the end of an upload takes."""
    source = os.open(source_file(folder, size), os.O_RDONLY)
    found: dict[str, list[float]] = {"paced at 250 MB/s": [], "at full speed": []}
    with premrunner(folder) as ours:
        for _ in range(repeats):
            for name, values in found.items():
                clean = send_raw(ours, source, size, 250e6 if name.startswith("paced") else 0)
                begun = time.monotonic()
                upload = clean.upload  # type: ignore[attr-defined]
                call(ours, "POST", "/v1/chunked-upload/complete", {"modelId": upload, "modelName": "b"})
                values.append(time.monotonic() - begun)
                clean()
    os.close(source)
    (folder / "source").unlink()
    print(
        f"\n### `complete` of {size // MIB} MiB, {repeats} repeats\n\n| upload | seconds median (min-max) |\n|---|---|"
    )
    for name, values in found.items():
        print(f"| {name} | {statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f}) |", flush=True)


def main() -> None:
    """Run the benches that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, smaller files")
    parser.add_argument("--folder", default="/dev/shm", help="where the body paths are compared; memory by default")
    parser.add_argument("--disk", default=tempfile.gettempdir(), help="a folder on a real disk")
    parser.add_argument("--only", default="", help="bodies, disk, latencies, memory or completion")
    wanted = parser.parse_args()
    repeats = 3 if wanted.quick else 5
    with tempfile.TemporaryDirectory(dir=wanted.folder) as shm, tempfile.TemporaryDirectory(dir=wanted.disk) as disk:
        for folder in (shm, disk):
            Path(folder).chmod(0o755)
        parts = {
            "bodies": lambda: bodies(Path(shm), (200 if wanted.quick else 400) * MIB, repeats, "Body paths in memory"),
            "bodies_disk": lambda: bodies(Path(disk), 400 * MIB, repeats, "Body paths on disk"),
            "disk": lambda: to_disk(Path(disk), (512 if wanted.quick else 2048) * MIB, repeats),
            "latencies": lambda: latencies(Path(shm), 400 * MIB, repeats),
            "completion": lambda: completion(Path(shm), (400 if wanted.quick else 1000) * MIB, repeats),
            "memory": lambda: memory(Path(disk), (1 if wanted.quick else 10) * 1024 * MIB),
        }
        for name, run in parts.items():
            if not wanted.only or name in wanted.only.split(","):
                run()


if __name__ == "__main__":
    main()
