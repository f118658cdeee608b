"""Traces are written in batches, by a thread of their own, and none is lost on the way."""

import sqlite3
from contextlib import closing
from datetime import datetime, timezone

import pytest
from sqlalchemy.exc import OperationalError

from premrunner.app import prepare_database
from premrunner.records import Caller, TraceBegun, TraceFinished, Usage, new_id
from premrunner.storage.database import writer_engine
from premrunner.storage.trace_writer import TraceWriter, process_name


def begun(trace_id, **fields):
    values = {"model": "m", "input": "[]", "parameters": "{}", "ignored": "[]", "is_stream": False} | fields
    caller = Caller(trace_id, "/v1/chat/completions", "pytest")
    return TraceBegun(id=trace_id, caller=caller, created_at=datetime.now(timezone.utc), **values)


@pytest.fixture
def url(app):
    return app.config["SQLALCHEMY_DATABASE_URI"]


@pytest.fixture
def writer(url):
    writer = TraceWriter(lambda: writer_engine(url))
    yield writer
    writer.close()


@pytest.fixture
def rows(settings):
    def read(columns="*"):
        with closing(sqlite3.connect(settings.data_path / "premrunner.db")) as connection:
            return connection.execute(f"SELECT {columns} FROM traces ORDER BY id").fetchall()

    return read


def test_a_call_is_a_row_when_it_begins_and_complete_when_it_ends(writer, rows):
    trace_id = new_id()
    writer.begin(begun(trace_id))
    assert writer.flush()
    assert rows("id, status, writer") == [(trace_id, "running", process_name())]
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


def test_closing_writes_what_is_left(url, rows):
    writer = TraceWriter(lambda: writer_engine(url))
    for _ in range(50):
        writer.begin(begun(new_id()))
    assert writer.close()
    assert len(rows()) == 50


def test_a_row_that_no_database_takes_does_not_hold_up_the_others(writer, rows):
    twice = new_id()
    for trace_id in (twice, twice, new_id()):
        writer.begin(begun(trace_id))
    assert writer.flush()
    assert len(rows()) == 2


def test_while_the_database_is_away_traces_wait_and_requests_do_not(url, rows, monkeypatch):
    monkeypatch.setattr("premrunner.storage.trace_writer.RETRY_SECONDS", 0.01)
    failures = [OperationalError("", None, Exception("disk I/O error"))] * 3
    engine = writer_engine(url)
    real_begin = engine.begin

    def begin():
        if failures:
            raise failures.pop()
        return real_begin()

    monkeypatch.setattr(engine, "begin", begin)
    writer = TraceWriter(lambda: engine)
    writer.begin(begun(new_id()))
    assert writer.flush()
    assert not failures
    assert len(rows()) == 1
    writer.close()


def test_calls_of_a_dead_process_are_settled_and_those_of_the_living_are_not(app, writer, rows):
    from premrunner.app import settle_process

    writer.begin(begun(new_id()))
    assert writer.flush()
    settle_process(app, 1)
    assert rows("status") == [("running",)]
    prepare_database(app)
    assert rows("status") == [("interrupted",)]
