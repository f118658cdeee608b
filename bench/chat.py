"""Streamed chats, beside LiteLLM's proxy, FastAPI with httpx, aiohttp, and the engine asked directly."""

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.chat_engine import real_engine
from bench.chat_servers import Way, aiohttp, fake_engine, fastapi, install_peers, litellm, ours
from bench.report import Table, judged, ratios, spread
from bench.servers import TOKEN
from bench.stream_client import PATIENCE_SECONDS, Seen, Wish, read_streams

CALLS = 30
STREAMS = 200
KIB = 1024


def prepare() -> None:
    """Install the peers."""
    install_peers()


def tables(is_quick: bool) -> Iterator[Table]:
    """Measure chats."""
    repeats = 3 if is_quick else 5
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        engine = stack.enter_context(fake_engine(folder))
        direct = Way("the engine, directly", engine, "/api/chat")
        ways = [direct] + [stack.enter_context(run(folder, engine)) for run in (ours, aiohttp, fastapi, litellm)]
        figures = {way.name: measured(way) for way in ways}
        for _ in range(repeats):
            for way in ways:
                measure(way, figures[way.name])
        yield first_tokens(figures, repeats)
        yield many_streams(figures, repeats)
        yield flood(ways, repeats)
    yield real_engine()


@dataclass
class Figures:
    """What one way measured, a value a repeat.

    Attributes:
        stream_kib: Memory for each of many streams; the first time, before any memory can be used again.
    """

    first_ms: list[float] = field(default_factory=list)
    burst_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    late_50_ms: list[float] = field(default_factory=list)
    events_a_second: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    stream_kib: float = 0.0


def measured(way: Way) -> Figures:
    """Return figures with the one that only a fresh server gives."""
    read(way, "r20n20")
    way.server.reset_peak()
    before = way.server.rss_bytes()
    read(way, "r20n200", streams=STREAMS, spacing_seconds=0.01, seconds=1)
    return Figures(stream_kib=(way.server.rss_bytes("VmHWM") - before) / STREAMS / KIB)


def measure(way: Way, figures: Figures) -> None:
    """Measure one way once."""
    one_by_one = read(way, "r20n1", streams=CALLS, spacing_seconds=0.1, seconds=30)
    figures.first_ms.append(statistics.median(one_by_one.first_seconds) * 1000)
    figures.burst_ms.append(p99(read(way, "r20n20", streams=STREAMS).first_seconds))
    figures.late_50_ms.append(p99(read(way, "r20n200", streams=50, spacing_seconds=0.01, seconds=3).late_seconds))
    cpu = way.server.cpu_seconds()
    seen = read(way, "r20n200", streams=STREAMS, spacing_seconds=0.01, seconds=5)
    figures.cpu_us.append((way.server.cpu_seconds() - cpu) / max(seen.event_count, 1) * 1e6)
    figures.late_ms.append(p99(seen.late_seconds))
    figures.events_a_second.append(len(seen.late_seconds) / 5)


def read(way: Way, model: str, *, streams: int = 1, spacing_seconds: float = 0.0, seconds: float = 60.0) -> Seen:
    """Read answers of a model; who got none has waited until the end."""
    seen = read_streams(Wish(way.server.port, way.path, way.body(model), TOKEN, streams, spacing_seconds, seconds))
    seen.first_seconds += [PATIENCE_SECONDS] * (streams - len(seen.first_seconds))
    return seen


def p99(seconds: list[float]) -> float:
    """Return the 99th percentile in milliseconds; of nothing, more than anybody waits."""
    return sorted(seconds)[int(len(seconds) * 0.99)] * 1000 if seconds else PATIENCE_SECONDS * 1000


def first_tokens(figures: dict[str, Figures], repeats: int) -> Table:
    """Show how long the first token takes."""
    columns = ("", "alone: added ms", "x LiteLLM", f"{STREAMS} at once: p99 ms", "x LiteLLM")
    table = Table(f"Time to the first token, {repeats} repeats of {CALLS} calls", columns)
    direct, theirs = figures["the engine, directly"].first_ms, figures["LiteLLM proxy"]
    their_added = minus(theirs.first_ms, direct)
    for name, values in figures.items():
        added = minus(values.first_ms, direct)
        is_ours = name == "PremRunner"
        alone, burst = ratios(added, their_added), ratios(values.burst_ms, theirs.burst_ms)
        table.add(
            name,
            judged(added, most=3) if is_ours else spread(added),
            judged(alone, most=0.3) if is_ours else spread(alone),
            judged(values.burst_ms, most=1000, digits=0) if is_ours else spread(values.burst_ms, 0),
            judged(burst, most=0.1, digits=3) if is_ours else spread(burst, 3),
        )
    return table


def many_streams(figures: dict[str, Figures], repeats: int) -> Table:
    """Show what streams cost."""
    columns = (
        "",
        "CPU µs an event",
        "x LiteLLM",
        "x FastAPI",
        "events/s x direct",
        "p99 late ms",
        "50 streams: added p99 ms",
    )
    table = Table(f"{STREAMS} streams of 20 events/s, {repeats} repeats", (*columns, "KiB a stream"))
    direct, theirs = figures["the engine, directly"], figures["LiteLLM proxy"]
    fast = figures["FastAPI + httpx, bytes"]
    for name, values in figures.items():
        is_ours = name == "PremRunner"
        to_litellm, to_fastapi = ratios(values.cpu_us, theirs.cpu_us), ratios(values.cpu_us, fast.cpu_us)
        rate = ratios(values.events_a_second, direct.events_a_second)
        added = minus(values.late_50_ms, direct.late_50_ms)
        table.add(
            name,
            spread(values.cpu_us, 0),
            judged(to_litellm, most=0.15) if is_ours else spread(to_litellm),
            judged(to_fastapi, most=0.5) if is_ours else spread(to_fastapi),
            judged(rate, least=0.8) if is_ours else spread(rate),
            spread(values.late_ms, 1),
            judged(added, most=25, digits=1) if is_ours else spread(added, 1),
            judged([values.stream_kib], most=64, digits=0) if is_ours else f"{values.stream_kib:.0f}",
        )
    table.notes.append(
        "FastAPI and aiohttp only pass the engine's bytes on; PremRunner and LiteLLM parse each line and write it in "
        "OpenAI's shape, and PremRunner records the call."
    )
    return table


def flood(ways: list[Way], repeats: int) -> Table:
    """Offer more than anybody can take; the peer that never recovers from it comes last and is left out."""
    rates: dict[str, list[float]] = {way.name: [] for way in ways if way.name != "LiteLLM proxy"}
    for _ in range(repeats):
        for way in ways:
            if way.name in rates:
                seen = read(way, "r1000n5000", streams=100, seconds=3)
                rates[way.name].append(len(seen.late_seconds) / 3)
    table = Table(f"100 streams of 1000 events/s offered, {repeats} repeats", ("", "events/s"))
    for name, values in rates.items():
        table.add(name, spread(values, 0))
    return table


def minus(values: list[float], others: list[float]) -> list[float]:
    """Return each value less the other's of the same repeat."""
    return [value - other for value, other in zip(values, others, strict=True)]
