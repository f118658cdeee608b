"""Recorded calls: when they begin, when they end, and as they are read back."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from premrunner.records.asking import Usage
from premrunner.records.callers import Caller

TraceStatus = Literal["running", "ok", "error", "cancelled", "interrupted"]


@dataclass(frozen=True, slots=True)
class TraceBegun:
    """A call at the moment before the engine is asked.

    Attributes:
        id: The request's id.
        model: Name by which the caller asked for the model.
        input: The messages as JSON text, as the caller sent them.
        parameters: The other fields of the request, as JSON text.
        ignored: Names of the fields that had no effect, as a JSON list.
        is_stream: Whether the answer was streamed.
    """

    id: str
    caller: Caller
    model: str
    input: str
    parameters: str
    ignored: str
    is_stream: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TraceFinished:
    """The same call when it is over, whichever way.

    Attributes:
        tool_calls: JSON text of OpenAI's tool calls; empty when there are none.
        error: What went wrong, as the caller was told.
        duration_ms: From the request's arrival to its last byte.
        ttft_ms: Time to first token: until the first text, thinking or tool call.
        queued_ms: Time spent waiting for a place.
    """

    id: str
    status: TraceStatus
    output: str = ""
    thinking: str = ""
    tool_calls: str = ""
    finish_reason: str | None = None
    error: str | None = None
    usage: Usage = field(default_factory=Usage)
    duration_ms: float = 0.0
    ttft_ms: float | None = None
    queued_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """A recorded call as it is read back. In lists the long texts are left out, so they are empty.

    Attributes:
        input: The messages as JSON text.
        duration: Whole time in milliseconds, under the original's name.
        tool_calls: JSON text; empty when there are none.
        parameters: The other fields of the request, as JSON text.
        ignored: Names of the fields without effect, as a JSON list.
        client: ``User-Agent`` of the caller.
    """

    id: str
    model: str
    status: str
    created_at: datetime
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    duration: int
    endpoint: str
    is_stream: bool
    finish_reason: str | None
    error: str | None
    client: str
    key_name: str
    ttft_ms: float | None
    queued_ms: float
    load_ms: float
    prefill_ms: float
    decode_ms: float
    tokens_per_second: float | None
    input: str = ""
    output: str = ""
    thinking: str = ""
    tool_calls: str = ""
    parameters: str = "{}"
    ignored: str = "[]"
