"""Uploads, beside nginx (WebDAV, of Debian's ``nginx-light``), ``cp`` and ``sha256sum``."""

import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.report import Table, judged, ratios, spread
from bench.servers import TOKEN, Server, free_port, premrunner, running
from bench.stream_client import Wish, read_streams
from bench.upload_client import MIB, Sender, Sent, call, send_forms, send_raw, source_file, start

MEMORY, DISK = Path("/dev/shm"), Path(tempfile.gettempdir())

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


def tables(is_quick: bool) -> Iterator[Table]:
    """Measure uploads."""
    repeats = 3 if is_quick else 7
    often = 2 * repeats + 1  # They take little time, and differ from turn to turn.
    with folder_in(MEMORY) as memory_folder, folder_in(DISK) as disk:
        yield bodies(disk, 400 * MIB, often, "Bodies to the page cache of a disk")
        yield bodies(memory_folder, 400 * MIB, often, "Bodies to memory (tmpfs)")
        yield to_disk(disk, (512 if is_quick else 2048) * MIB, repeats)
        yield latencies(memory_folder, 400 * MIB, repeats)
        yield completion(memory_folder, (400 if is_quick else 1000) * MIB, repeats)
        yield memory(disk, (1 if is_quick else 10) * 1024 * MIB)


@contextmanager
def folder_in(place: Path) -> Iterator[Path]:
    """Make a folder that nginx, too, may enter."""
    with tempfile.TemporaryDirectory(dir=place) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def source_of(folder: Path, size: int) -> Iterator[int]:
    """Yield the descriptor of a file to send."""
    path = source_file(folder, size)
    source = os.open(path, os.O_RDONLY)
    try:
        yield source
    finally:
        os.close(source)
        path.unlink()


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """Run nginx with WebDAV."""
    if shutil.which("nginx") is None:
        raise SystemExit("The bench compares with nginx: apt-get install nginx-light libnginx-mod-http-dav-ext")
    place, port = folder / "nginx", free_port()
    for path in (place, place / "temp", place / "files"):
        path.mkdir()
        path.chmod(0o777)
    (place / "nginx.conf").write_text(NGINX_CONF.format(folder=place, port=port))
    with running("nginx", ["nginx", "-c", str(place / "nginx.conf"), "-p", str(place)], port, place) as server:
        yield server


@dataclass
class Figures:
    """What one way of sending measured, a value a repeat."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def add(self, server: Server, run: Callable[[], Sent]) -> None:
        """Send once; the seconds end with the last answer, the CPU seconds count until the hash is there."""
        cpu, begun = server.cpu_seconds(), time.monotonic()
        sent = run()
        self.seconds.append(time.monotonic() - begun)
        if "hash" not in server.name:
            sent.complete()
        self.cpu_seconds.append(server.cpu_seconds() - cpu)
        sent.clean()


def bodies(folder: Path, size: int, repeats: int, title: str) -> Table:
    """Compare the ways of a body to the disk."""
    with ExitStack() as stack:
        source = stack.enter_context(source_of(folder, size))
        peer, ours = stack.enter_context(nginx(folder)), stack.enter_context(premrunner(folder))
        plain = stack.enter_context(premrunner(folder, "PremRunner without hash", BENCH_HASH="off"))
        runs: dict[str, tuple[Server, Callable[[], Sent]]] = {
            "nginx PUT": (peer, lambda: send_raw(peer, source, size)),
            "raw chunks": (ours, lambda: send_raw(ours, source, size)),
            "raw chunks, not hashed": (plain, lambda: send_raw(plain, source, size)),
            "form, file last": (ours, lambda: send_forms(ours, source, size, file_first=False)),
            "form, file first": (ours, lambda: send_forms(ours, source, size, file_first=True)),
            "form, file first, not hashed": (plain, lambda: send_forms(plain, source, size, file_first=True)),
        }
        figures = {name: Figures() for name in runs}
        hashing = []
        for repeat in range(repeats + 1):
            for name, (server, run) in runs.items():
                (figures[name] if repeat else Figures()).add(server, run)  # The first warms up.
            hashing.append(sha256_cpu_seconds(source))
    return bodies_table(figures, hashing[1:], size, f"{title}: {size // MIB} MiB in 50 MiB chunks, {repeats} repeats")


def bodies_table(figures: dict[str, Figures], hashing: list[float], size: int, title: str) -> Table:
    """Put the figures into a table."""
    columns = ("one connection", "MB/s", "x nginx", "CPU s/GB", "x nginx", "x (nginx + sha256sum)")
    table, peer = Table(title, columns), figures["nginx PUT"]
    with_hash = [cpu + own for cpu, own in zip(peer.cpu_seconds, hashing, strict=True)]
    for name, values in figures.items():
        rates = [size / 1e6 / seconds for seconds in values.seconds]
        speed, cpu = ratios(peer.seconds, values.seconds), ratios(values.cpu_seconds, peer.cpu_seconds)
        bar = 0.75 if name.startswith("raw") else 0.5
        is_peer = values is peer
        table.add(
            name,
            spread(rates, 0),
            "1" if is_peer else judged(speed, least=bar),
            spread([seconds / size * 1e9 for seconds in values.cpu_seconds]),
            "1" if is_peer else judged(cpu, most=1.6) if name == "raw chunks, not hashed" else spread(cpu),
            spread(ratios(values.cpu_seconds, with_hash)),
        )
    per_gb = statistics.median(hashing) / size * 1e9
    share = statistics.median(ratios(hashing, peer.cpu_seconds))
    table.notes.append(
        f"sha256 of the same bytes in one process costs {per_gb:.2f} CPU s/GB, {share:.2f} times all that "
        "nginx uses, which does not hash. The bar for CPU seconds is one of receiving, so it stands with the chunks "
        "that are not hashed; what the hash adds is in the last column. Both answer when the bytes are in memory; "
        "what it takes until they are on disk is in the next table but one."
    )
    return table


def sha256_cpu_seconds(source: int) -> float:
    """Return the CPU time that hashing the file takes."""
    digest, begun, offset = hashlib.sha256(), time.process_time(), 0
    while data := os.pread(source, MIB, offset):
        digest.update(data)
        offset += len(data)
    return time.process_time() - begun


def to_disk(folder: Path, size: int, repeats: int) -> Table:
    """Compare an upload with a copy, both until all is on disk."""
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        source = stack.enter_context(source_of(folder, size))
        ours, peer = stack.enter_context(premrunner(folder)), stack.enter_context(nginx(folder))
        plain = stack.enter_context(premrunner(folder, "PremRunner without hash", BENCH_HASH="off"))
        copy = folder / "copy"
        runs: dict[str, Callable[[], Callable[[], None]]] = {
            "cp + sync": lambda: _copy(folder / "source", copy),
            "nginx PUT + sync": lambda: send_raw(peer, source, size).clean,
            "1 connection + sync": lambda: send_raw(ours, source, size).clean,
            "1 connection + sync, not hashed": lambda: send_raw(plain, source, size).clean,
            "4 connections + sync": lambda: send_raw(ours, source, size, connections=4).clean,
        }
        for repeat in range(repeats + 1):
            for name, run in runs.items():
                os.sync()
                begun = time.monotonic()
                clean = run()
                os.sync()
                if repeat:  # The first warms up.
                    found.setdefault(name, []).append(time.monotonic() - begun)
                clean()
    table = Table(f"{size // MIB} MiB to disk including sync, {repeats} repeats", ("", "seconds", "x cp"))
    for name, values in found.items():
        against = ratios(values, found["cp + sync"])
        table.add(name, spread(values), judged(against, most=1.3) if "connection" in name else spread(against))
    return table


def _copy(source: Path, target: Path) -> Callable[[], None]:
    subprocess.run(["cp", str(source), str(target)], check=True)
    return target.unlink


def p99(values: list[float]) -> float:
    """Return the 99th percentile in milliseconds."""
    return sorted(values)[int(len(values) * 0.99)] * 1000


def get_latencies(server: Server, seconds: float) -> list[float]:
    """Return how long trivial requests took."""
    connection = Sender(server)
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        connection.ask("GET", "/health")
        connection.answer()
        found.append(time.monotonic() - begun)
        time.sleep(0.005)
    connection.close()
    return found


def event_latencies(server: Server, seconds: float, streams: int = 50) -> list[float]:
    """Return how late each event of some streams came."""
    wish = Wish(server.port, "/v1/bench/stream", None, TOKEN, streams, 0.01, seconds)
    return read_streams(wish).late_seconds


@contextmanager
def uploading(server: Server, source: int, size: int) -> Iterator[None]:
    """Send at full speed, again and again, while the block runs."""
    ending = threading.Event()

    def run() -> None:
        while not ending.is_set():
            send_raw(server, source, size).clean()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def latencies(folder: Path, size: int, repeats: int) -> Table:
    """Measure what others notice of an upload."""
    found: dict[str, list[float]] = {name: [] for name in ("GET idle", "GET", "events idle", "events")}
    with source_of(folder, size) as source, premrunner(folder) as ours:
        for _ in range(repeats):
            found["GET idle"].append(p99(get_latencies(ours, 3)))
            with uploading(ours, source, size):
                found["GET"].append(p99(get_latencies(ours, 4)))
            found["events idle"].append(p99(event_latencies(ours, 4)))
            with uploading(ours, source, size):
                found["events"].append(p99(event_latencies(ours, 5)))
    table = Table(f"p99 of others during a full-speed upload, {repeats} repeats", ("", "idle, ms", "meanwhile, ms"))
    most = max(10.0, 3 * statistics.median(found["GET idle"]))
    table.add("trivial GET", spread(found["GET idle"], 1), judged(found["GET"], most=most, digits=1))
    table.add("50 streams x 20 events/s", spread(found["events idle"], 1), judged(found["events"], most=25, digits=1))
    table.notes.append("The client of the upload, of the streams and of the GETs share the cores with the server.")
    return table


def completion(folder: Path, size: int, repeats: int) -> Table:
    """Measure how long the end of an upload takes."""
    found: dict[str, list[float]] = {"paced at 250 MB/s": [], "at full speed": []}
    with source_of(folder, size) as source, premrunner(folder) as ours:
        for _ in range(repeats):
            for name, values in found.items():
                sent = send_raw(ours, source, size, 250e6 if name.startswith("paced") else 0)
                begun = time.monotonic()
                sent.complete()
                values.append(time.monotonic() - begun)
                sent.clean()
    table = Table(f"`complete` of {size // MIB} MiB, {repeats} repeats", ("upload", "seconds"))
    table.add("paced at 250 MB/s", judged(found["paced at 250 MB/s"], most=0.2, digits=3))
    table.add("at full speed", spread(found["at full speed"], 3))
    return table


def memory(folder: Path, size: int) -> Table:
    """Measure the memory that one large PUT takes."""
    block = 64 * MIB
    with source_of(folder, block) as source, premrunner(folder) as ours:
        send_raw(ours, source, block).clean()
        before = ours.rss_bytes()
        ours.reset_peak()
        upload, sender = start(ours, size, size), Sender(ours)
        sender.ask("PUT", f"/v1/chunked-upload/{upload}/chunks/0", size)
        for _ in range(size // block):
            sender.send_file(source, 0, block)
        sender.answer()
        peak = ours.rss_bytes("VmHWM")
        call(ours, "DELETE", f"/v1/chunked-upload/{upload}")
    table = Table(f"Memory during one PUT of {size / 1e9:.1f} GB", ("", "MiB"))
    table.add("before", f"{before / MIB:.1f}")
    table.add("growth at most", judged([(peak - before) / MIB], most=32, digits=1))
    return table
