"""Record each call: a row when it begins, completed when it ends; and read them back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from premrunner.domain.spoken import preview
from premrunner.metrics import Metrics
from premrunner.net.native_threads import NativeThreads
from premrunner.records import Caller, Feedback, Trace, TraceBegun, TraceFilter, TraceFinished, moment_of
from premrunner.storage.trace_feedback_store import TraceFeedbackStore
from premrunner.storage.trace_query import OLDEST, Place
from premrunner.storage.trace_store import TracePage, TraceStore
from premrunner.storage.trace_sums import Choices
from premrunner.storage.trace_writer import TraceWriter

__all__ = ["OLDEST", "Place", "TracePage", "Tracing"]

if TYPE_CHECKING:
    from premrunner.domain.chat import ChatCall

# People choose from a list of so many names; a rarer one can still be asked for.
MOST_CHOICES = 100


@dataclass(frozen=True)
class Listing:
    """A page of calls with what stands around it.

    Attributes:
        page: The calls.
        feedback: What people said of them, by their id.
        total: How many calls the filter means.
        choices: What there is to filter by.
    """

    page: TracePage
    feedback: Mapping[str, Feedback]
    total: int
    choices: Choices


class Tracing:
    """The recorded calls.

    Args:
        writer: Takes what is to be written, without making anybody wait.
        store: Reads.
        judgements: What people said of the answers.
        threads: Where what reads waits for the disk.
        metrics: Counts.
    """

    def __init__(
        self,
        writer: TraceWriter,
        store: TraceStore,
        judgements: TraceFeedbackStore,
        threads: NativeThreads,
        metrics: Metrics,
    ) -> None:
        self._writer = writer
        self._store = store
        self._judgements = judgements
        self._threads = threads
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
                created_at=moment_of(caller.request_id),
                preview=preview(call.sent),
                replay_of=call.replay_of,
            )
        )

    def finish(self, trace: TraceFinished) -> None:
        """Record how a call ended."""
        self._metrics.call_ended(trace)
        self._writer.finish(trace)

    def page(self, wanted: TraceFilter, place: Place, limit: int) -> TracePage:
        """Return a page of a filter's calls, newest first, the caller's own last call among them."""
        self._writer.flush()
        return self._threads.run(self._store.page, wanted, place, limit)

    def listing(self, wanted: TraceFilter, place: Place, limit: int) -> Listing:
        """Return a page with what stands around it, in one turn of a thread: each turn waits for those of others."""
        self._writer.flush()
        return self._threads.run(self._listing, wanted, place, limit)

    def numbered_page(self, page: int, limit: int) -> tuple[TracePage, int]:
        """Return a page of all calls by its number, newest first, and how many calls there are."""
        self._writer.flush()
        return self._threads.run(self._store.numbered_page, page, limit)

    def summaries(self, trace_ids: Sequence[str]) -> list[Trace]:
        """Return what a list shows of the calls with these ids, of those that are there."""
        return self._threads.run(self._store.summaries, trace_ids)

    def count(self, wanted: TraceFilter) -> int:
        """Return how many calls a filter means; of searched texts at most ``trace_sums.MOST_COUNTED``."""
        return self._threads.run(self._store.count, wanted)

    def get(self, trace_id: str) -> Trace:
        """Return one trace.

        Raises:
            TraceNotFound: There is none of that id.
        """
        self._writer.flush()
        return self._threads.run(self._store.get, trace_id)

    def replays(self, trace_id: str) -> list[Trace]:
        """Return the calls that repeat this one, without their long texts, newest first."""
        return self._threads.run(self._store.replays, trace_id)

    def feedback(self, trace_ids: Sequence[str]) -> dict[str, Feedback]:
        """Return what people said of these calls, by their id; those of which nothing was said are left out."""
        return self._threads.run(self._judgements.of, trace_ids)

    def judge(self, trace_id: str, feedback: Feedback) -> None:
        """Keep what a person says of an answer, in place of what was said before.

        Raises:
            TraceNotFound: There is none of that id.
        """
        self._writer.flush()
        self._threads.run(self._judgements.put, trace_id, feedback)

    def settle(self) -> None:
        """Wait until what has been recorded so far can be read, or a second has gone: the disk may be full."""
        self._writer.flush(1.0)

    def close(self) -> None:
        """Write what is left, at the end of the process."""
        self._writer.close()

    def _listing(self, wanted: TraceFilter, place: Place, limit: int) -> Listing:
        page = self._store.page(wanted, place, limit)
        feedback = self._judgements.of([trace.id for trace in page.traces])
        return Listing(page, feedback, self._store.count(wanted), self._store.choices(MOST_CHOICES))


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
