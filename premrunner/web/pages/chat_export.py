"""Conversations as files: Markdown to read, JSON to go on with."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from premrunner.domain.catalog import tagged
from premrunner.domain.conversations.conversations import Branch
from premrunner.records import ChatMessage, Conversation, Image
from premrunner.web.pages.chat_settings import data_url

NUMBERS = ("finish_reason", "prompt_tokens", "completion_tokens", "tokens_per_second", "ttft_ms", "thinking_ms")


def markdown(branch: Branch, names: Mapping[str, str]) -> str:
    """Return a branch as Markdown; answers stand as the model wrote them.

    Args:
        branch: All of it.
        names: What people call models, by the names that programs use.
    """
    conversation = branch.conversation
    parts = [f"# {conversation.title}"]
    if system := conversation.settings.get("system"):
        parts += ["## System", str(system)]
    for message in branch.messages:
        parts += _spoken(message, names)
    return "\n\n".join(parts) + "\n"


def _spoken(message: ChatMessage, names: Mapping[str, str]) -> list[str]:
    if message.role == "user":
        pictures = [f"*({len(message.image_ids)} pictures)*"] if message.image_ids else []
        return ["## You", *pictures, message.content]
    speaker = names.get(tagged(message.model), message.model)
    thinking = ["> " + message.thinking.strip().replace("\n", "\n> ")] if message.thinking.strip() else []
    return [f"## {speaker}", *thinking, message.content]


def json_object(
    conversation: Conversation, messages: Sequence[ChatMessage], images: Mapping[str, Sequence[Image]]
) -> dict[str, Any]:
    """Return a whole conversation, each branch of it, with its pictures."""
    return {
        "title": conversation.title,
        "model": conversation.model,
        "settings": conversation.settings,
        "createdAt": conversation.created_at.isoformat(),
        "updatedAt": conversation.updated_at.isoformat(),
        "messages": [_message(message, images.get(message.id, ())) for message in messages],
    }


def _message(message: ChatMessage, images: Sequence[Image]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": message.id,
        "parentId": message.parent_id,
        "role": message.role,
        "content": message.content,
        "createdAt": message.created_at.isoformat(),
    }
    if images:
        shown["images"] = [data_url(image) for image in images]
    if message.role == "assistant":
        shown |= {"model": message.model, "status": message.status, "traceId": message.trace_id}
        shown |= {"thinking": message.thinking} if message.thinking else {}
        shown |= {"error": message.error} if message.error else {}
        shown |= {_camel(name): value for name in NUMBERS if (value := getattr(message, name)) is not None}
    return shown


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def file_name(title: str, kind: str) -> str:
    """Return a title as a file's name that every system takes."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()
    return f"{words[:60] or 'conversation'}.{kind}"
