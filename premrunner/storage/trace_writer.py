"""Write traces without making any request wait.

An insert on the request's own thread costs 0.07 ms when all is well and 90 ms when SQLite moves its log into the
database, and all streams of a gevent worker would wait with it. So requests put what shall be written into a queue, and
one native thread writes it in batches, a transaction for what came in 50 ms, or at once for somebody who reads
(``docs/performance.md`` has the figures).
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from gevent.monkey import get_original
from sqlalchemy import Connection, Engine, bindparam, insert, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from premrunner.records import TraceBegun, TraceFinished
from premrunner.storage.processes import Processes
from premrunner.storage.trace_books import book
from premrunner.storage.trace_tables import TRACES

logger = logging.getLogger(__name__)

# The real ones, also where gevent has replaced them: the thread must not belong to a hub.
start_native_thread = get_original("_thread", "start_new_thread")
native_sleep = get_original("time", "sleep")
native_lock = get_original("_thread", "allocate_lock")
NativeQueue = get_original("queue", "SimpleQueue")

BATCH_SECONDS = 0.05
LOOK_SECONDS = 0.002
BATCH_ROWS = 500
# While the database does not take anything, so many rows are kept with their texts; those that come then without.
QUEUE_MOST = 20_000
RETRY_SECONDS = 0.5
# A name that no model has, but that somebody asked for, is not to fill the indexes.
LONGEST_MODEL = 350

BEGIN = insert(TRACES)
FINISH = update(TRACES).where(TRACES.c.id == bindparam("row_id"))

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Begin:
    """A row to insert."""

    values: Row


@dataclass(frozen=True, slots=True)
class Finish:
    """A row to update; ``row_id`` among the values is its key.

    Attributes:
        said: What a search finds it by.
    """

    values: Row
    said: str = ""


class TraceWriter:
    """Takes begun and finished traces at any rate and brings them to the database.

    The thread is started by the first trace, so that it lives in the process that uses it and not in one that forks.

    Args:
        open_engine: Makes the database engine of the writing thread, which alone uses it.
        processes: Signs the rows.
    """

    def __init__(self, open_engine: Callable[[], Engine], processes: Processes) -> None:
        self._open_engine = open_engine
        self._processes = processes
        self._queue: SimpleQueue[Begin | Finish | None] = NativeQueue()
        self._hurry = native_lock()  # Free when somebody waits for the batch.
        self._hurry.acquire()
        self._taken = 0
        self._put = 0
        self._is_running = False
        self._is_closing = False

    def begin(self, trace: TraceBegun) -> None:
        """Record that a call has begun."""
        self._enqueue(Begin(begun_row(trace, self._processes.own_name)))

    def finish(self, trace: TraceFinished) -> None:
        """Record how a call ended."""
        self._enqueue(Finish(finished_row(trace), trace.said))

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Wait until what was put before is in the database; tell whether it is."""
        goal, deadline = self._put, time.monotonic() + timeout_seconds
        if self._taken < goal:
            with suppress(RuntimeError):  # Somebody else has said so.
                self._hurry.release()
        while self._taken < goal:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Write what is left and end the thread; tell whether all was written."""
        is_written = self.flush(timeout_seconds)
        self._is_closing = True
        self._queue.put(None)
        return is_written

    def _enqueue(self, operation: Begin | Finish) -> None:
        if self._queue.qsize() >= QUEUE_MOST:
            operation.values.update({name: "" for name in ("input", "output", "thinking") if name in operation.values})
        self._queue.put(operation)
        self._put += 1
        if not self._is_running:
            self._is_running, self._is_closing = True, False
            start_native_thread(self._run, ())

    def _run(self) -> None:
        engine = self._open_engine()
        try:
            while not (self._is_closing and self._queue.empty()):
                batch = self._next_batch()
                while batch and not self._write(engine, batch):
                    native_sleep(RETRY_SECONDS)
                self._taken += len(batch)
        finally:
            engine.dispose()
            self._is_running = False

    def _next_batch(self) -> list[Begin | Finish]:
        """Wait for something to write, and for what comes with it."""
        batch = [self._queue.get()]
        if self._queue.qsize() < BATCH_ROWS:
            self._hurry.acquire(True, BATCH_SECONDS)
        with suppress(Empty):
            while len(batch) < BATCH_ROWS:
                batch.append(self._queue.get_nowait())
        return [operation for operation in batch if operation is not None]

    def _write(self, engine: Engine, batch: Sequence[Begin | Finish]) -> bool:
        """Write a batch; False keeps it for another try."""
        try:
            with engine.begin() as connection:
                _apply(connection, batch)
        except OperationalError as error:
            logger.warning("Traces wait for the database: %s", error.orig)
            return self._is_closing  # A process that ends cannot keep them.
        except (SQLAlchemyError, ValueError):
            self._write_singly(engine, batch)
        return True

    def _write_singly(self, engine: Engine, batch: Sequence[Begin | Finish]) -> None:
        """Write rows one by one, so that one that no database takes does not hold up the others."""
        for operation in batch:
            try:
                with engine.begin() as connection:
                    _apply(connection, [operation])
            except (SQLAlchemyError, ValueError) as error:
                trace_id = operation.values.get("id") or operation.values.get("row_id")
                logger.error("Trace %s could not be written: %s", trace_id, type(error).__name__)


def _apply(connection: Connection, batch: Sequence[Begin | Finish]) -> None:
    """Write a batch: all inserts, then all updates, so that a call that began and ended in it is right."""
    begun = [operation.values for operation in batch if isinstance(operation, Begin)]
    finished = [operation for operation in batch if isinstance(operation, Finish)]
    if begun:
        connection.execute(BEGIN, begun)
    if finished:
        connection.execute(FINISH, [operation.values for operation in finished])
        book(connection, {operation.values["row_id"]: operation.said for operation in finished})


def begun_row(trace: TraceBegun, writer: str) -> Row:
    """Return the columns of a call that has begun."""
    return {
        "id": trace.id,
        "input": trace.input,
        "output": "",
        "model": trace.model[:LONGEST_MODEL],
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "duration": 0,
        "created_at": trace.created_at,
        "status": "running",
        "endpoint": trace.caller.endpoint,
        "is_stream": trace.is_stream,
        "thinking": "",
        "tool_calls": "",
        "parameters": trace.parameters,
        "ignored": trace.ignored,
        "client": trace.caller.client,
        "key_name": trace.caller.key_name,
        "queued_ms": 0.0,
        "load_ms": 0.0,
        "prefill_ms": 0.0,
        "decode_ms": 0.0,
        "writer": writer,
        "preview": trace.preview,
        "replay_of": trace.replay_of,
    }


def finished_row(trace: TraceFinished) -> Row:
    """Return the columns that the end of a call fills in, with its key as ``row_id``."""
    usage = trace.usage
    return {
        "row_id": trace.id,
        "status": trace.status,
        "output": trace.output,
        "thinking": trace.thinking,
        "tool_calls": trace.tool_calls,
        "finish_reason": trace.finish_reason,
        "error": trace.error,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "duration": round(trace.duration_ms),
        "ttft_ms": trace.ttft_ms,
        "queued_ms": trace.queued_ms,
        "load_ms": usage.load_ms,
        "prefill_ms": usage.prefill_ms,
        "decode_ms": usage.decode_ms,
        "tokens_per_second": usage.tokens_per_second,
    }
