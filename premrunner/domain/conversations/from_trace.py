"""A recorded call as the beginning of a conversation."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Literal

import orjson

from premrunner.domain.conversations.conversations import Conversations
from premrunner.domain.conversations.images import image_of
from premrunner.errors import InvalidRequest
from premrunner.records import ChatMessage, Conversation, Image, Json, Trace, new_id

# Parameters of a call that a conversation has, too.
SETTINGS = (
    *("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "max_tokens", "seed", "stop", "reasoning_effort"),
)


@dataclass(frozen=True)
class Said:
    """What one side said."""

    role: Literal["user", "assistant"]
    text: str
    images: Sequence[Image] = ()


def begin_from_trace(conversations: Conversations, trace: Trace) -> Conversation:
    """Begin a conversation with a call's messages, its answer and its model.

    Raises:
        InvalidRequest: The call was no chat.
    """
    system, said = _said(trace)
    if not said:
        raise InvalidRequest("This call holds no messages to go on from.")
    settings = _settings(trace, system)
    conversation = conversations.begin(said[0].text, trace.model, settings)
    last_id: str | None = None
    for part in said:
        message = _message(conversation, last_id, part, trace.model)
        conversations.add_finished(message, part.images)
        last_id = message.id
    if last_id and (trace.output or trace.thinking):
        answer = _message(conversation, last_id, Said("assistant", trace.output), trace.model)
        conversations.add_finished(_with_numbers(answer, trace))
    return conversations.get(conversation.id)


def _said(trace: Trace) -> tuple[str, list[Said]]:
    """Return the system prompt and the messages; tools' messages mean nothing without the tools."""
    sent = orjson.loads(trace.input)
    system: list[str] = []
    said: list[Said] = []
    for item in sent if isinstance(sent, list) else [{"role": "user", "content": sent}]:
        message = item if isinstance(item, Mapping) else {"role": "user", "content": item}
        role, (text, images) = message.get("role"), _content(message.get("content"))
        if role in ("system", "developer"):
            system.append(text)
        elif role in ("user", "assistant") and (text or images):
            said.append(Said(role, text, images))
    return "\n\n".join(system), said


def _content(content: Any) -> tuple[str, list[Image]]:
    if isinstance(content, str):
        return content, []
    texts: list[str] = []
    images: list[Image] = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, Mapping) and (image := _image(part.get("image_url"))):
            images.append(image)
    return "\n".join(texts), images


def _image(url: Any) -> Image | None:
    url = url.get("url") if isinstance(url, Mapping) else url
    try:
        return image_of(base64.b64decode(str(url).partition(";base64,")[2], validate=True))
    except (binascii.Error, InvalidRequest):
        return None


def _settings(trace: Trace, system: str) -> dict[str, Json]:
    sent = orjson.loads(trace.parameters)
    settings = {name: sent[name] for name in SETTINGS if sent.get(name) is not None}
    context = (sent.get("options") or {}).get("num_ctx")
    return settings | ({"system": system} if system else {}) | ({"num_ctx": context} if context else {})


def _message(conversation: Conversation, parent_id: str | None, said: Said, model: str) -> ChatMessage:
    return ChatMessage(
        id=new_id(),
        conversation_id=conversation.id,
        parent_id=parent_id,
        role=said.role,
        created_at=datetime.now(timezone.utc),
        content=said.text,
        model=model,
        image_ids=tuple(image.id for image in said.images),
    )


def _with_numbers(answer: ChatMessage, trace: Trace) -> ChatMessage:
    is_stopped = trace.status != "ok"
    return replace(
        answer,
        thinking=trace.thinking,
        trace_id=trace.id,
        status="stopped" if is_stopped else "done",
        finish_reason=trace.finish_reason,
        prompt_tokens=trace.prompt_tokens,
        completion_tokens=trace.completion_tokens,
        tokens_per_second=trace.tokens_per_second,
        ttft_ms=trace.ttft_ms,
    )
