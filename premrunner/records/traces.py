"""Recorded calls: when they begin, when they end, and as they are read back."""

from collections.abc import Mapping
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
        preview: The last question's beginning.
        replay_of: The call that this one repeats.
    """

    id: str
    caller: Caller
    model: str
    input: str
    parameters: str
    ignored: str
    is_stream: bool
    created_at: datetime
    preview: str = ""
    replay_of: str | None = None


@dataclass(frozen=True, slots=True)
class TraceFinished:
    """The same call when it is over, whichever way.

    Attributes:
        tool_calls: JSON text of OpenAI's tool calls; empty when there are none.
        error: What went wrong, as the caller was told.
        duration_ms: From the request's arrival to its last byte.
        ttft_ms: Time to first token: until the first text, thinking or tool call.
        queued_ms: Time spent waiting for a place.
        said: What a search shall find it by; the preview if there is nothing.
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
    said: str = ""


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
        preview: The last question's beginning.
        replay_of: The call that this one repeats.
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
    preview: str = ""
    replay_of: str | None = None
    input: str = ""
    output: str = ""
    thinking: str = ""
    tool_calls: str = ""
    parameters: str = "{}"
    ignored: str = "[]"


Feeling = Literal["", "up", "down", "corrected", "any"]


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Which calls are meant; what is not given does not matter.

    Attributes:
        key_name: Name of an access key; empty for the owner's own calls.
        since: From this moment on.
        until: Up to this moment, which is not meant any more.
        words: Words and ``"phrases"`` that all were said, by either side.
        feeling: What people said of the answer; ``any`` for anything at all.
    """

    model: str | None = None
    status: str | None = None
    key_name: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    words: str = ""
    feeling: Feeling = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person says of an answer.

    Attributes:
        rating: 1 for good, -1 for bad, 0 for neither.
        correction: The answer as it should have been; empty when it was not corrected.
    """

    rating: int = 0
    note: str = ""
    correction: str = ""


@dataclass(frozen=True, slots=True)
class TraceSum:
    """Calls of one span that ended the same way.

    Attributes:
        start: When the span begins.
        lasted: How many took how long, by the step of the scale of durations; step n ends at 2^(n/2) ms. Only of calls
            that ended well.
    """

    start: datetime
    status: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    lasted: Mapping[int, int]
