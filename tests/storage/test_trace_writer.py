"""Traces are written in batches, by a thread of their own, and none is lost on the way."""

import signal
import subprocess
import sys
from datetime import datetime, timezone

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from premrunner.app import prepare_database
from premrunner.extensions import db
from premrunner.records import Caller, TraceBegun, TraceFinished, Usage, new_id
from premrunner.storage.database import thread_engine
from premrunner.storage.paths import DataPaths
from premrunner.storage.processes import Processes
from premrunner.storage.trace_writer import Begin, TraceWriter, begun_row


def begun(trace_id, **fields):
    values = {"model": "m", "input": "[]", "parameters": "{}", "ignored": "[]", "is_stream": False} | fields
    caller = Caller(trace_id, "/v1/chat/completions", "pytest")
    return TraceBegun(id=trace_id, caller=caller, created_at=datetime.now(timezone.utc), **values)


@pytest.fixture
def url(app):
    return app.config["SQLALCHEMY_DATABASE_URI"]


@pytest.fixture
def processes(settings):
    return Processes(DataPaths(settings.data_path).processes)


@pytest.fixture
def writer(url, processes):
    writer = TraceWriter(lambda: thread_engine(url), processes)
    yield writer
    assert writer.close()


@pytest.fixture
def rows(app):
    def read(columns="*"):
        with app.app_context(), db.engine.connect() as connection:
            return connection.execute(text(f"SELECT {columns} FROM traces ORDER BY id")).all()

    return read


def test_a_call_is_a_row_when_it_begins_and_complete_when_it_ends(writer, processes, rows):
    trace_id = new_id()
    writer.begin(begun(trace_id))
    assert writer.flush()
    assert rows("id, status, writer") == [(trace_id, "running", processes.own_name)]
    usage = Usage(10, 5, load_ms=1, prefill_ms=2, decode_ms=100)
    writer.finish(
        TraceFinished(trace_id, "ok", "Paris", usage=usage, duration_ms=123.6, ttft_ms=4, finish_reason="stop")
    )
    assert writer.flush()
    assert rows("status, output, total_tokens, duration, tokens_per_second, finish_reason") == [
        ("ok", "Paris", 15, 124, 50.0, "stop")
    ]


def test_a_call_that_begins_and_ends_in_one_batch_is_right(writer, rows):
    for number in range(700):
        trace_id = new_id()
        writer.begin(begun(trace_id))
        writer.finish(TraceFinished(trace_id, "ok", str(number)))
    assert writer.flush(5)
    assert len(rows()) == 700
    assert set(rows("status")) == {("ok",)}


def test_closing_writes_what_is_left(url, processes, rows):
    writer = TraceWriter(lambda: thread_engine(url), processes)
    for _ in range(50):
        writer.begin(begun(new_id()))
    assert writer.close()
    assert len(rows()) == 50


def test_who_reads_does_not_wait_for_the_time_of_a_batch(writer, rows, monkeypatch):
    monkeypatch.setattr("premrunner.storage.trace_writer.BATCH_SECONDS", 60)
    for count in (1, 2):
        writer.begin(begun(new_id()))
        assert writer.flush(30)
        assert len(rows()) == count


def test_a_row_that_no_database_takes_does_not_hold_up_the_others(writer, rows):
    twice = new_id()
    for trace_id in (twice, twice, new_id()):
        writer.begin(begun(trace_id))
    assert writer.flush()
    assert len(rows()) == 2


def test_while_the_database_is_away_traces_wait_and_requests_do_not(url, processes, rows, monkeypatch):
    monkeypatch.setattr("premrunner.storage.trace_writer.RETRY_SECONDS", 0.01)
    failures = [OperationalError("", None, Exception("disk I/O error"))] * 3
    engine = thread_engine(url)
    real_begin = engine.begin

    def begin():
        if failures:
            raise failures.pop()
        return real_begin()

    monkeypatch.setattr(engine, "begin", begin)
    writer = TraceWriter(lambda: engine, processes)
    writer.begin(begun(new_id()))
    assert writer.flush()
    assert not failures
    assert len(rows()) == 1
    writer.close()


def test_all_batches_go_through_one_connection(url, processes, rows):
    engine, opened = thread_engine(url), []
    event.listen(engine, "connect", lambda *_: opened.append(1))
    writer = TraceWriter(lambda: engine, processes)
    for _ in range(3):
        writer.begin(begun(new_id()))
        assert writer.flush()
    assert len(rows()) == 3
    assert len(opened) == 1
    writer.close()


def test_a_text_that_the_database_does_not_know_is_kept_but_for_that(writer, rows):
    trace_id = new_id()
    writer.begin(begun(trace_id, model="a\0b"))
    writer.finish(TraceFinished(trace_id, "ok", "one\0two"))
    assert writer.flush()
    [(model, output)] = rows("model, output")
    assert (model[0], model[-1]) == ("a", "b")
    assert output in ("one\0two", "one\ufffdtwo")


DIES = """
import os, sys
from pathlib import Path
from premrunner.storage.processes import Processes
print(Processes(Path(sys.argv[1])).own_name, flush=True)
sys.stdin.read()
os.kill(os.getpid(), 9)
"""


def test_calls_of_a_dead_process_are_settled_and_those_of_the_living_are_not(app, settings, processes, writer, rows):
    folder = DataPaths(settings.data_path).processes
    other = subprocess.Popen(
        [sys.executable, "-c", DIES, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    its_name = other.stdout.readline().strip()
    writer._enqueue(Begin(begun_row(begun("1"), its_name)))
    writer.begin(begun("2"))
    assert writer.flush()
    prepare_database(app)
    assert rows("status") == [("running",), ("running",)]
    other.communicate()
    prepare_database(app)
    assert rows("status") == [("interrupted",), ("running",)]
    assert [file.name for file in folder.iterdir()] == [processes.own_name]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_that_was_restarted_gets_the_traces_and_answers_at_once(postgresql, writer, rows):
    writer.begin(begun(new_id()))
    assert writer.flush()
    assert len(rows()) == 1
    postgresql.stop(signal.SIGINT)
    writer.begin(begun(new_id()))
    postgresql.start()
    assert writer.flush(5)
    assert len(rows()) == 2
