"""One call: find the model, wait for a place, ask the engine, and record the call whichever way it ends.

Chats, completions and embeddings, on whatever wire they came, all go this way.
"""

import logging
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

import orjson

from premrunner.domain.admission import Admission, Ticket
from premrunner.domain.catalog import Catalog
from premrunner.domain.keys import AccessKeys
from premrunner.domain.spoken import searchable
from premrunner.domain.tracing import Tracing
from premrunner.engine.client import EngineClient
from premrunner.errors import Cancelled, EngineRefused, PremRunnerError, ServerEnding, StorageFailed
from premrunner.net.http import Cancellation
from premrunner.records import (
    AccessKey,
    Caller,
    ChatChunk,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    EngineRequest,
    Json,
    TraceFinished,
    TraceStatus,
    Usage,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChatCall:
    """What a caller asks for.

    Attributes:
        request: For the engine; its ``model`` is the name the caller used.
        sent: The messages, the prompt or the texts as they came, for the trace.
        parameters: The other fields as they came, for the trace.
        ignored: Names of the fields that have no effect.
        is_stream: Whether the answer is streamed.
        replay_of: The trace of the call that this one repeats.
    """

    request: EngineRequest
    sent: Json
    parameters: Mapping[str, Json] = field(default_factory=dict)
    ignored: Sequence[str] = ()
    is_stream: bool = False
    replay_of: str | None = None


@dataclass(slots=True)
class Answer:
    """What has been said so far."""

    content: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    tool_calls: list[Mapping[str, Json]] = field(default_factory=list)
    logprobs: list[Mapping[str, Json]] = field(default_factory=list)
    vectors: list[Sequence[float]] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    chunk_count: int = 0

    def add(self, chunk: ChatChunk) -> None:
        """Take in the next chunk."""
        self.chunk_count += 1
        if chunk.content:
            self.content.append(chunk.content)
        if chunk.thinking:
            self.thinking.append(chunk.thinking)
        self.tool_calls.extend(chunk.tool_calls)
        self.logprobs.extend(chunk.logprobs)
        self.vectors.extend(chunk.vectors)
        if chunk.finish_reason is not None:
            self.finish_reason = chunk.finish_reason
            self.usage = chunk.usage or self.usage

    @property
    def text(self) -> str:
        """The answer's text."""
        return "".join(self.content)

    @property
    def thought(self) -> str:
        """The reasoning before it."""
        return "".join(self.thinking)

    @property
    def spent_tokens(self) -> int:
        """Tokens to charge for; an answer that was cut has no counts, and then each chunk is a token or so."""
        return self.usage.total_tokens or self.chunk_count


class ChatRun:
    """One call under way: iterate ``chunks``, and ``close`` it in every case.

    ``cancel`` may come from another thread at any moment; ``close`` may come twice.

    Attributes:
        id: The request's id, which is the trace's.
        caller: Who asks.
        model_id: What the answer calls the model: the name that the caller used.
        answer: What has been said so far.
    """

    def __init__(self, service: "ChatService", call: ChatCall, caller: Caller) -> None:
        self.id = caller.request_id
        self.caller = caller
        self.model_id = call.request.model
        self.answer = Answer()
        self.ttft_ms: float | None = None
        self._service = service
        self._call = call
        self._ticket = Ticket()
        self._cancellation = Cancellation()
        self._started_at = time.perf_counter()
        self._queued_ms = 0.0
        self._failure: BaseException | None = None
        self._is_interrupted = False
        self._is_closed = False
        self._closing = threading.Lock()

    def interrupt(self) -> None:
        """Stop because the server ends."""
        self._is_interrupted = True
        self.cancel()

    def cancel(self) -> None:
        """Stop: the engine at once, the queue if it still waits there."""
        self._cancellation.cancel()
        self._ticket.cancel()

    def chunks(self) -> Generator[ChatChunk, None, None]:
        """Yield the answer as it comes; the last chunk has a ``finish_reason``.

        Raises:
            PremRunnerError: What went wrong, before the first chunk or after any.
        """
        self._service.begin(self, self._call)
        try:
            model = self._service.catalog.resolve(self._call.request.model, self.caller.key)
            request = replace(self._call.request, model=model.engine_name)
            with self._place(model.engine_name), closing(self._service.answer(request, self._cancellation)) as chunks:
                for chunk in chunks:
                    self._take(chunk)
                    yield chunk
        except BaseException as failure:
            self._failure = failure
            if self._is_interrupted:
                raise ServerEnding from failure
            raise
        finally:
            self.close()

    @contextmanager
    def _place(self, engine_name: str) -> Iterator[None]:
        """Wait for a place at the model and keep it while the block runs."""
        begun = time.perf_counter()
        self._service.admission.enter(engine_name, self._ticket)
        self._queued_ms = (time.perf_counter() - begun) * 1000
        try:
            yield
        finally:
            self._service.admission.leave(engine_name)

    def _take(self, chunk: ChatChunk) -> None:
        if self.ttft_ms is None and (chunk.content or chunk.thinking or chunk.tool_calls):
            self.ttft_ms = self.elapsed_ms
        self.answer.add(chunk)

    @property
    def elapsed_ms(self) -> float:
        """Time since the request arrived."""
        return (time.perf_counter() - self._started_at) * 1000

    def close(self) -> None:
        """Stop the engine if it still talks, and record how the call ended."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        status = self._status()
        if status != "ok":
            self.cancel()
        self._service.finish(self, self._finished(status))
        logger.info(
            "Call ended.", extra={"request_id": self.id, "status": status, "duration_ms": round(self.elapsed_ms)}
        )

    def _status(self) -> TraceStatus:
        if self.answer.finish_reason is not None:
            return "ok"
        if self._is_interrupted:
            return "interrupted"
        if self._failure is None or isinstance(self._failure, Cancelled | GeneratorExit):
            return "cancelled"
        return "error"

    def _finished(self, status: TraceStatus) -> TraceFinished:
        answer, failure = self.answer, self._failure
        error = None
        if status == "error":
            error = (
                failure.message if isinstance(failure, PremRunnerError) else "PremRunner made a mistake; see the log."
            )
        return TraceFinished(
            id=self.id,
            status=status,
            output=answer.text,
            thinking=answer.thought,
            tool_calls=orjson.dumps(answer.tool_calls).decode() if answer.tool_calls else "",
            finish_reason=answer.finish_reason,
            error=error,
            usage=answer.usage,
            duration_ms=self.elapsed_ms,
            ttft_ms=self.ttft_ms,
            queued_ms=self._queued_ms,
            said=searchable(self._call.sent, answer.text),
        )


class ChatService:
    """Answers calls."""

    def __init__(
        self, engine: EngineClient, catalog: Catalog, admission: Admission, tracing: Tracing, keys: AccessKeys
    ) -> None:
        self.engine = engine
        self.catalog = catalog
        self.admission = admission
        self._tracing = tracing
        self._keys = keys
        self._running: set[ChatRun] = set()

    def begin(self, run: ChatRun, call: ChatCall) -> None:
        """Record that a call begins."""
        self._running.add(run)
        self._tracing.begin(call, run.caller)

    def finish(self, run: ChatRun, trace: TraceFinished) -> None:
        """Record how a call ended, and what its key has spent."""
        self._running.discard(run)
        self._tracing.finish(trace)
        if run.caller.key:
            self._charge(run.caller.key, run.answer)

    def _charge(self, key: AccessKey, answer: Answer) -> None:
        try:
            self._keys.spend(key, answer.spent_tokens)
        except StorageFailed as error:  # The answer is there, and its client shall have it.
            logger.warning("The tokens of key '%s' were not counted: %s", key.name, error.message)

    def interrupt_all(self) -> None:
        """Stop every call that is under way, because the server ends; each tells its client so."""
        for run in tuple(self._running):
            run.interrupt()

    def open(self, call: ChatCall, caller: Caller) -> ChatRun:
        """Return a call that begins when its first chunk is asked for."""
        return ChatRun(self, call, caller)

    def answer(self, request: EngineRequest, cancellation: Cancellation) -> Generator[ChatChunk, None, None]:
        """Ask the engine."""
        if isinstance(request, ChatRequest):
            return (self._think if request.think else self.engine.chat)(request, cancellation)
        if isinstance(request, CompletionRequest):
            return self.engine.generate(request, cancellation)
        return self._embed(request, cancellation)

    def _embed(self, request: EmbeddingRequest, cancellation: Cancellation) -> Generator[ChatChunk, None, None]:
        vectors, token_count = self.engine.embed(request, cancellation)
        yield ChatChunk(vectors=vectors, finish_reason="stop", usage=Usage(prompt_tokens=token_count))

    def _think(self, request: ChatRequest, cancellation: Cancellation) -> Generator[ChatChunk, None, None]:
        """Ask for thoughts; the wish is dropped when the model has none, as OpenAI's own plain models do."""
        try:
            yield from self.engine.chat(request, cancellation)
        except EngineRefused as refusal:
            if "does not support thinking" not in refusal.message:
                raise
            yield from self.engine.chat(replace(request, think=None), cancellation)

    def complete(self, run: ChatRun) -> Answer:
        """Run a call to its end and return the whole answer.

        Raises:
            PremRunnerError: What went wrong.
        """
        for _ in run.chunks():
            pass
        return run.answer
