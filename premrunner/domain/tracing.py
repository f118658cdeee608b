"""Record each call: a row when it begins, completed when it ends."""

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import orjson

from premrunner.metrics import Metrics
from premrunner.records import Caller, Trace, TraceBegun, TraceFinished
from premrunner.storage.trace_store import TracePage, TraceStore
from premrunner.storage.trace_writer import TraceWriter

if TYPE_CHECKING:
    from premrunner.domain.chat import ChatCall


class Tracing:
    """The recorded calls.

    Args:
        writer: Takes what is to be written, without making anybody wait.
        store: Reads.
        metrics: Counts.
    """

    def __init__(self, writer: TraceWriter, store: TraceStore, metrics: Metrics) -> None:
        self._writer = writer
        self._store = store
        self._metrics = metrics

    def begin(self, call: "ChatCall", caller: Caller) -> None:
        """Record a call that is about to ask the engine."""
        self._metrics.call_began()
        self._writer.begin(
            TraceBegun(
                id=caller.request_id,
                caller=caller,
                model=call.request.model,
                input=_json(call.sent),
                parameters=_json(call.parameters),
                ignored=_json(list(call.ignored)),
                is_stream=call.is_stream,
                created_at=datetime.now(timezone.utc),
            )
        )

    def finish(self, trace: TraceFinished) -> None:
        """Record how a call ended."""
        self._metrics.call_ended(trace)
        self._writer.finish(trace)

    def page(self, page: int, limit: int) -> TracePage:
        """Return a page of traces, newest first, the caller's own last call among them."""
        self._writer.flush()
        return self._store.page(page, limit)

    def get(self, trace_id: str) -> Trace:
        """Return one trace.

        Raises:
            TraceNotFound: There is none of that id.
        """
        self._writer.flush()
        return self._store.get(trace_id)

    def close(self) -> None:
        """Write what is left, at the end of the process."""
        self._writer.close()


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
