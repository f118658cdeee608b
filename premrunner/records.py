"""The things PremRunner talks about, as plain values that every part may hold.

Times of day are UTC; durations carry their unit in the name.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Json = Any  # What orjson gives back: the checks happen where it is parsed.

TraceStatus = Literal["running", "ok", "error", "cancelled", "interrupted"]


UploadState = Literal["open", "complete"]

ID_DIGITS = 24


def new_id() -> str:
    """Return a fresh id of 24 hex digits that sorts by time: 48 bits of milliseconds, 48 random bits.

    Newest-first lists and their pages then need no index but the primary key. UUIDv7 (RFC 9562) has the same plan.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def is_id(text: str) -> bool:
    """Tell whether a text could have come from `new_id`."""
    return len(text) == ID_DIGITS and not text.strip("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to the engine, in the shape of Ollama's ``/api/chat``.

    Attributes:
        model: The engine's name of the model.
        messages: Ollama's messages: ``role``, ``content``, and where given ``images``, ``tool_calls``, ``tool_name``.
        options: Ollama's sampling options, such as ``temperature`` and ``num_predict``; only what was asked for.
        format: ``"json"`` or a JSON schema that the answer must follow.
        tools: Functions the model may call, in OpenAI's shape.
        think: Whether, or how much, a thinking model thinks; None leaves it to the model.
        keep_alive: How long the model stays loaded afterwards, as Ollama spells it.
        logprobs: Whether each token's log probability is wanted.
        top_logprobs: How many alternatives a token, 0 to 20.
    """

    model: str
    messages: Sequence[Mapping[str, Json]]
    options: Mapping[str, Json] = field(default_factory=dict)
    format: str | Mapping[str, Json] | None = None
    tools: Sequence[Mapping[str, Json]] | None = None
    think: bool | str | None = None
    keep_alive: str | float | None = None
    logprobs: bool = False
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A text to go on with, or a gap to fill, in the shape of Ollama's ``/api/generate``.

    Attributes:
        model: The engine's name of the model.
        prompt: The text, which the model sees as it stands, without its chat template.
        suffix: What comes behind the gap; empty to go on at the end.
        options: As in `ChatRequest`; so are ``keep_alive``, ``logprobs`` and ``top_logprobs``.
    """

    model: str
    prompt: str
    suffix: str = ""
    options: Mapping[str, Json] = field(default_factory=dict)
    keep_alive: str | float | None = None
    logprobs: bool = False
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts whose vectors are wanted.

    Attributes:
        model: The engine's name of the model.
        texts: At least one.
        dimensions: Numbers a vector, where the model can shorten them; None for all.
    """

    model: str
    texts: Sequence[str]
    dimensions: int | None = None
    keep_alive: str | float | None = None


EngineRequest = ChatRequest | CompletionRequest | EmbeddingRequest


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and times of one answer, from the engine's own counters.

    Attributes:
        prompt_tokens: Tokens of the rendered conversation.
        completion_tokens: Tokens generated.
        load_ms: Time until the model was in memory; 0 when it was already.
        prefill_ms: Time to read the prompt.
        decode_ms: Time to generate.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    load_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0

    @property
    def total_tokens(self) -> int:
        """Tokens read and generated."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def tokens_per_second(self) -> float | None:
        """Speed of generation; None when nothing was generated."""
        return self.completion_tokens / self.decode_ms * 1000 if self.decode_ms and self.completion_tokens else None


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """What the engine said in one line: a few more characters, the vectors, or the end.

    Attributes:
        content: Text of the answer.
        thinking: Text of the reasoning before it.
        tool_calls: Calls in Ollama's shape: ``{"function": {"name", "arguments": {…}}}``.
        logprobs: Ollama's log probabilities of these tokens.
        vectors: One of length 1 a text, when they were asked for.
        finish_reason: ``stop`` or ``length`` on the last chunk, else None.
        usage: Counts, on the last chunk.
    """

    content: str = ""
    thinking: str = ""
    tool_calls: Sequence[Mapping[str, Json]] = ()
    logprobs: Sequence[Mapping[str, Json]] = ()
    vectors: Sequence[Sequence[float]] = ()
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What its owner gives to a program so that it may call models, and only that.

    Attributes:
        hint: Its first and last characters, by which its owner knows it again.
        models: Those it may call, by alias, id or engine name; empty for all.
        requests_per_minute: Its limit; None for none.
        tokens_per_day: Tokens read and generated that it may use from midnight to midnight UTC; None for no limit.
        last_used_at: When it was last used, to a minute or so.
    """

    id: str
    name: str
    hint: str
    models: Sequence[str]
    requests_per_minute: int | None
    tokens_per_day: int | None
    created_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        request_id: Id of the HTTP request; its trace has the same.
        endpoint: Path that was called.
        client: ``User-Agent`` of the program that calls.
        key: The access key it used; None for the owner, who has the token or a session.
    """

    request_id: str
    endpoint: str
    client: str = ""
    key: "AccessKey | None" = None

    @property
    def key_name(self) -> str:
        """Name of the access key; empty for the owner."""
        return self.key.name if self.key else ""


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
    usage: Usage = Usage()
    duration_ms: float = 0.0
    ttft_ms: float | None = None
    queued_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineModel:
    """A model that the engine has.

    Attributes:
        name: The engine's name with its tag.
        size_bytes: Bytes on disk.
        digest: Hex digest of its manifest.
        modified_at: Time of its last change as the engine writes it (RFC 3339).
        details: ``family``, ``parameter_size``, ``quantization_level``, ``context_length`` where known.
    """

    name: str
    size_bytes: int = 0
    digest: str = ""
    modified_at: str = ""
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in the engine's memory.

    Attributes:
        name: The engine's name with its tag.
        size_bytes: Memory it takes.
        expires_at: When it will be unloaded (RFC 3339).
        context_length: Tokens of context it was loaded with.
    """

    name: str
    size_bytes: int = 0
    expires_at: str = ""
    context_length: int = 0


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model that PremRunner brought in.

    Attributes:
        id: Its key.
        name: The name its owner gave it.
        alias: Its name in the engine, and the one to call it by.
        size_bytes: Bytes of its file.
        is_downloaded: Whether the engine has it and it has answered (the original's ``downloaded``).
        options: What its owner wants of it: ``system``, ``template``, ``parameters``.
        findings: What its files were seen to be.
        proof: How it answered when it was new.
    """

    id: str
    name: str
    alias: str
    size_bytes: int
    is_downloaded: bool
    created_at: datetime
    options: Mapping[str, Json] = field(default_factory=dict)
    findings: Mapping[str, Json] = field(default_factory=dict)
    proof: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """One message of the original's simple chat history."""

    id: str
    content: str
    role: str
    model: str
    created_at: datetime


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


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest that bytes should have.

    Attributes:
        algorithm: As ``hashlib`` names it.
        value: The digest itself.
    """

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True)
class UploadFile:
    """One file of an upload.

    Attributes:
        path: Its name, with its folders for one of a dropped folder; never a path of ours.
        sha256: Hex digest, known when the upload is complete.
    """

    path: str
    size_bytes: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """Bytes that are arriving or have arrived.

    Attributes:
        id: Its key, and later that of the model made from it.
        name: What its owner calls the model.
        files: At least one.
        chunk_bytes: Size of every chunk but each file's last; None until the first chunk shows it.
        expected_sha256: What the client says it will be; empty when it does not.
        sha256: What it is, once complete: of a lone file, or of the list of all (see ``docs/uploads.md``).
        tus_metadata: ``Upload-Metadata`` as a tus client sent it; None for an upload by chunks.
    """

    id: str
    name: str
    files: Sequence[UploadFile]
    chunk_bytes: int | None
    state: UploadState
    created_at: datetime
    completed_at: datetime | None = None
    expected_sha256: str = ""
    sha256: str = ""
    tus_metadata: str | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def is_tus(self) -> bool:
        """Whether it grows from its start, by tus, and not by numbered chunks."""
        return self.tus_metadata is not None
