"""Measure lists, filters, searches, statistics and exports of a million traces.

The database is filled once, through the same tables and books as the writer's, and kept for the next run. Each figure
is the median of several calls, and its limit what a person does not notice.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import accumulate
from pathlib import Path

import orjson
from sqlalchemy import Engine, insert

from bench.report import Table, judged
from premrunner.app import create_app, prepare_database
from premrunner.config import Settings, load_settings
from premrunner.domain.spoken import preview, searchable
from premrunner.domain.trace_statistics import TraceStatistics
from premrunner.net.native_threads import NativeThreads
from premrunner.records import TraceFilter, id_at
from premrunner.storage.database import Database, thread_engine, unpooled_engine
from premrunner.storage.trace_books import book
from premrunner.storage.trace_query import NEWEST, OLDEST, Place
from premrunner.storage.trace_store import TraceStore
from premrunner.storage.trace_tables import TraceRow

ROWS = 1_000_000
BATCH_ROWS = 5_000
DAYS = 120
PAGE = 51
LIMIT_MS = 30.0
REPEATS = 9
EXPORTED = 100_000
FEW_ROWS = 10_000
CACHE = Path(__file__).parent.parent / ".cache" / "bench"

MODELS = ("support-bot", "support-bot-v2", "llama3.2:3b", "qwen2.5-coder:7b", "sql-writer", "experiment-7")
MODEL_WEIGHTS = (40, 30, 15, 10, 4.9, 0.1)
STATUSES = ("ok", "error", "cancelled", "interrupted")
STATUS_WEIGHTS = (96, 2, 1.9, 0.1)
KEYS = ("", "website", "nightly", "notebook")
KEY_WEIGHTS = (50, 40, 9, 1)


@dataclass(frozen=True)
class Figure:
    """One line of the report.

    Attributes:
        name: What was measured.
        milliseconds: Of each repeat.
        limit_ms: What it may take.
    """

    name: str
    milliseconds: list[float]
    limit_ms: float = LIMIT_MS


class Talk:
    """Texts with words as frequent as in a language: the n-th most frequent word is n times as rare as the first."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        letters = "etaoinshrdlucmfwypvbgkjqxz"
        self.words = ["".join(self.random.choices(letters, k=self.random.randint(2, 10))) for _ in range(40_000)]
        self._weights = list(accumulate(1 / (rank + 1) for rank in range(len(self.words))))

    def say(self, least: int, most: int) -> str:
        """Return some words."""
        count = self.random.randint(least, most)
        return " ".join(self.random.choices(self.words, cum_weights=self._weights, k=count))


def rows(count: int) -> Iterator[dict[str, object]]:
    """Yield traces over the last months, oldest first."""
    talk, chance = Talk(1), random.Random(2)
    texts = [(talk.say(8, 90), talk.say(20, 160)) for _ in range(20_000)]
    begin = datetime.now(timezone.utc) - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / count
    for number in range(count):
        moment = begin + number * step
        asked, answered = chance.choice(texts)
        sent = [{"role": "user", "content": f"{asked} ticket{number}"}]
        seconds = chance.lognormvariate(0.5, 1.0)
        yield {
            **{"id": f"{id_at(moment)}{number:012x}", "created_at": moment, "input": orjson.dumps(sent).decode()},
            "model": chance.choices(MODELS, MODEL_WEIGHTS)[0],
            "status": chance.choices(STATUSES, STATUS_WEIGHTS)[0],
            "key_name": chance.choices(KEYS, KEY_WEIGHTS)[0],
            **{"output": answered, "preview": preview(sent), "parameters": '{"temperature":0.7}', "ignored": "[]"},
            **{"prompt_tokens": len(asked) // 4, "completion_tokens": len(answered) // 4},
            **{"total_tokens": (len(asked) + len(answered)) // 4, "duration": round(seconds * 1000)},
            **{
                "endpoint": "/v1/chat/completions",
                "is_stream": True,
                "client": "OpenAI/Python 3.0",
                "writer": "bench:1",
            },
            **{"thinking": "", "tool_calls": "", "finish_reason": "stop", "tokens_per_second": 40.0, "ttft_ms": 200.0},
            **{"queued_ms": 0.0, "load_ms": 0.0, "prefill_ms": 180.0, "decode_ms": seconds * 800},
        }


def fill(url: str, count: int) -> None:
    """Fill an empty database."""
    engine, batch = unpooled_engine(url), []
    for row in rows(count):
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            _write(engine, batch)
            batch = []
    _write(engine, batch)


def _write(engine: Engine, batch: list[dict[str, object]]) -> None:
    if not batch:
        return
    with engine.begin() as connection:
        connection.execute(insert(TraceRow), batch)
        book(connection, {row["id"]: searchable(orjson.loads(row["input"]), row["output"]) for row in batch})


def database(folder: Path, count: int) -> str:
    """Return the URL of a filled database, making it if it is not there."""
    app = create_app(_settings(folder, count))
    prepare_database(app)
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    if TraceStore(Database(unpooled_engine(url))).count(TraceFilter()) != count:
        fill(url, count)
    return url


def _settings(folder: Path, count: int) -> Settings:
    data = str(folder / f"traces-{count}")
    return load_settings({"DATA_PATH": data, "PREMRUNNER_STARTER": "none", "LOG_LEVEL": "warning"}, dotenv=None)


def measure(name: str, run: Callable[[], object], limit_ms: float = LIMIT_MS) -> Figure:
    """Run something a few times, the first of which does not count."""
    run()
    found = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run()
        found.append((time.perf_counter() - begun) * 1000)
    return Figure(name, found, limit_ms)


def figures(url: str) -> list[Figure]:
    """Measure everything but the export."""
    store, talk = TraceStore(Database(thread_engine(url))), Talk(1)
    statistic = TraceStatistics(store, NativeThreads(1))
    now = datetime.now(timezone.utc)
    middle = Place(before=id_at(now - timedelta(days=DAYS / 2)))
    week = now - timedelta(days=7)

    def page(place: Place = NEWEST, **wanted: object) -> Callable[[], object]:
        return lambda: (store.page(TraceFilter(**wanted), place, PAGE - 1), store.count(TraceFilter(**wanted)))

    common, usual, rare = talk.words[0], talk.words[300], talk.words[30_000]
    runs = {
        "list: first page": page(),
        "list: middle page": page(middle),
        "list: last page": page(OLDEST),
        "list: page 1 by number": lambda: store.numbered_page(1, 50),
        "list: last page by number": lambda: store.numbered_page(ROWS // 50, 50),
        "list: middle page by number": lambda: store.numbered_page(ROWS // 100, 50),
        "filter: a frequent model": page(model=MODELS[0]),
        "filter: a rare model": page(model=MODELS[-1]),
        "filter: errors": page(status="error"),
        "filter: model, status and key": page(model=MODELS[-1], status="interrupted", key_name="notebook"),
        "filter: what does not exist": page(model=MODELS[0], key_name="nobody"),
        "filter: last week, one model": page(model=MODELS[1], since=week),
        "filter: last page of a model": page(OLDEST, model=MODELS[0]),
        "search: a word in most texts": page(words=common),
        "search: a usual word": page(words=usual),
        "search: a rare word": page(words=rare),
        "search: one call": page(words="ticket123456"),
        "search: two words": page(words=f"{common} {usual}"),
        "search: a phrase": page(words=f'"{common} {talk.words[1]}"'),
        "search: the beginning of a word": page(words=f"{rare[:4]}*"),
        "search: nothing": page(words="zzzzzz"),
        "search: frequent word, rare model": page(words=common, model=MODELS[-1]),
        "search: last page": page(OLDEST, words=common),
        "stats: all time": lambda: statistic.over(TraceFilter(), now),
        "stats: one model": lambda: statistic.over(TraceFilter(model=MODELS[0]), now),
        "stats: last week": lambda: statistic.over(TraceFilter(since=week), now),
        "stats: last hour": lambda: statistic.over(TraceFilter(since=now - timedelta(hours=1)), now),
        "choices to filter by": lambda: store.choices(100),
    }
    return [measure(name, run) for name, run in runs.items()]


def page_figures(folder: Path) -> list[Figure]:
    """Measure whole pages at 10,000 traces, as the web process makes them."""
    url = database(folder, FEW_ROWS)
    app = create_app(_settings(folder, FEW_ROWS))
    visitor = app.test_client()
    visitor.get("/login", query_string={"token": app.extensions["premrunner"].token})
    newest = TraceStore(Database(unpooled_engine(url))).ids(TraceFilter(), NEWEST, 1)[0]
    paths = {
        "page: list": "/traces",
        "page: list, filtered": f"/traces?model={MODELS[0]}&status=ok",
        "page: news": f"/traces/news?newest={newest}",
        "page: one trace": f"/traces/{newest}",
    }
    return [measure(name, partial(visitor.get, path)) for name, path in paths.items()]


def export_growth(url: str, count: int) -> tuple[float, int]:
    """Export in a process of its own; return its rows a second, and the bytes it grew by after the first rows."""
    found = subprocess.run([sys.executable, "-c", EXPORT, url, str(count)], check=True, capture_output=True, text=True)
    rate, growth = found.stdout.split()
    return float(rate), int(growth) * 1024


EXPORT = """
import resource, sys, time
from itertools import islice
from premrunner.domain.trace_export import TraceExport
from premrunner.domain.trace_formats import FORMATS
from premrunner.net.native_threads import NativeThreads
from premrunner.records import TraceFilter
from premrunner.storage.database import Database, thread_engine
from premrunner.storage.trace_feedback_store import TraceFeedbackStore
from premrunner.storage.trace_store import TraceStore
database = Database(thread_engine(sys.argv[1]))
export = TraceExport(TraceStore(database), TraceFeedbackStore(database), NativeThreads(1))
lines = FORMATS["jsonl"][1](export.calls(TraceFilter()))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sum(map(len, islice(lines, 1000)))
before, begun = peak(), time.monotonic()
sum(map(len, islice(lines, int(sys.argv[2]) - 1000)))
print(int(sys.argv[2]) / (time.monotonic() - begun), peak() - before)
"""


def prepare() -> None:
    """Fill the database, unless it was filled before."""
    database(CACHE, ROWS)


def tables(_is_quick: bool, count: int = ROWS) -> Iterator[Table]:
    """Measure traces; of so many the bars speak, however little time there is."""
    url = database(CACHE, count)
    table = Table(f"Reading, at {count:,} traces", ("", "ms"))
    for figure in (*figures(url), *page_figures(CACHE)):
        table.add(figure.name, judged(figure.milliseconds, most=figure.limit_ms, digits=1))
    rate, growth = export_growth(url, min(EXPORTED, count))
    table.notes.append(
        f"Export of {min(EXPORTED, count):,}: {rate:,.0f} rows/s, while the memory grew by {growth / 2**20:.1f} MiB."
    )
    yield table
