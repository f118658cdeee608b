"""What is asked of the engine, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Any  # What orjson gives back: the checks happen where it is parsed.


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


@dataclass(slots=True)
class ChatChunk:
    """What the engine said in one line: a few more characters, the vectors, or the end.

    Not frozen: one is made for each event, and a frozen one takes three times as long.

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
