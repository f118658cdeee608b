"""Hand out the calls of a filter, however many: piece by piece, each read in a short transaction of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from premrunner.net.native_threads import NativeThreads
from premrunner.records import Feedback, Trace, TraceFilter
from premrunner.storage.trace_feedback_store import TraceFeedbackStore
from premrunner.storage.trace_query import NEWEST, Place
from premrunner.storage.trace_store import TraceStore

# What is in memory at one time; some calls carry pictures.
PIECE_ROWS = 50


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """A call, and what people said of its answer.

    Attributes:
        trace: With its texts.
        feedback: Empty when nothing was said.
    """

    trace: Trace
    feedback: Feedback


class TraceExport:
    """Reads calls in bulk.

    Args:
        store: Has the calls.
        judgements: What people said of the answers.
        threads: Where what reads waits for the disk.
    """

    def __init__(self, store: TraceStore, judgements: TraceFeedbackStore, threads: NativeThreads) -> None:
        self._store = store
        self._judgements = judgements
        self._threads = threads

    def calls(self, wanted: TraceFilter) -> Iterator[JudgedCall]:
        """Yield the calls that a filter means, newest first; calls that come meanwhile are not among them."""
        place = NEWEST
        while piece := self._threads.run(self._piece, wanted, place):
            yield from piece
            place = replace(place, before=piece[-1].trace.id)

    def _piece(self, wanted: TraceFilter, place: Place) -> list[JudgedCall]:
        traces = self._store.whole(wanted, place, PIECE_ROWS)
        feedback = self._judgements.of([trace.id for trace in traces])
        return [JudgedCall(trace, feedback.get(trace.id, Feedback())) for trace in traces]
