"""Conversations of the chat page: a tree of messages, of which one path at a time is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from premrunner.records.asking import Json

# How an answer stands: being written, whole, stopped by its reader, failed, or left by a process that ended.
MessageStatus = Literal["running", "done", "stopped", "failed", "interrupted"]
# Who gave the title: the first words of the question, the model, or the owner, who is not overruled.
TitleSource = Literal["words", "model", "owner"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is known of a conversation without its messages.

    Attributes:
        model: Name by which its last message called a model.
        settings: ``system`` and sampling parameters under OpenAI's names; only what was set.
        leaf_id: The message written last; its branch is the one to show.
        updated_at: When it was last written to.
    """

    id: str
    title: str
    title_source: TitleSource
    model: str
    settings: Mapping[str, Json]
    leaf_id: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation.

    Attributes:
        parent_id: The message it follows; None for the first. Messages of one parent are each other's versions.
        model: Name by which the model that answered, or was asked, was called.
        error: Why an answer failed, as its reader is told.
        trace_id: The call that wrote it.
        thinking_ms: How long the model thought before it said something.
        context_length: Tokens that the model could read when it answered; 0 where nobody knows.
        image_ids: Pictures that it carries, in order.
    """

    id: str
    conversation_id: str
    parent_id: str | None
    role: Literal["user", "assistant"]
    created_at: datetime
    content: str = ""
    thinking: str = ""
    model: str = ""
    status: MessageStatus = "done"
    error: str = ""
    trace_id: str = ""
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens_per_second: float | None = None
    ttft_ms: float | None = None
    thinking_ms: float | None = None
    context_length: int = 0
    image_ids: Sequence[str] = field(default_factory=tuple)

    @property
    def is_running(self) -> bool:
        """Whether it is still being written."""
        return self.status == "running"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that a message carries.

    Attributes:
        media_type: ``image/png`` and the like, as its first bytes say.
    """

    id: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class FoundConversation:
    """What a search found.

    Attributes:
        excerpt: The words around the first hit in a message; empty when the title alone has it.
    """

    conversation: Conversation
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where a page of the list begins: behind this conversation."""

    updated_at: datetime
    conversation_id: str
