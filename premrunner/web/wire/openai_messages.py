"""Translate conversations and tools between OpenAI's wire and the engine's, as pure functions."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from premrunner.errors import InvalidRequest
from premrunner.web import parsing

# A developer message is what newer clients call a system message; a function message is an old tool message.
ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
DATA_URL = re.compile(r"data:(image/[a-zA-Z0-9.+-]+)?(;[a-z]+=[^;,]*)*;base64,")


def engine_messages(value: Any) -> list[dict[str, Any]]:
    """Return a conversation in the engine's shape.

    Args:
        value: The ``messages`` of the request, unchecked.

    Raises:
        InvalidRequest: A message is not as OpenAI's API has them; the parameter names which.
    """
    messages = parsing.sequence("messages", value)
    if not messages:
        raise InvalidRequest("Messages are required", param="messages")
    tool_names: dict[str, str] = {}  # What each call id of the conversation so far called.
    return [engine_message(f"messages[{index}]", message, tool_names) for index, message in enumerate(messages)]


def engine_message(where: str, value: Any, tool_names: dict[str, str]) -> dict[str, Any]:
    """Return one message in the engine's shape.

    Args:
        where: What the caller calls it, for errors.
        value: The message, unchecked.
        tool_names: Name by id of each call in the conversation so far; those of this message are added.
    """
    message = parsing.mapping(where, value)
    role = ROLES.get(str(message.get("role")))
    if role is None:
        raise InvalidRequest(f"'{where}.role' must be one of {', '.join(ROLES)}.", param=f"{where}.role")
    content, images = _content(f"{where}.content", message.get("content"))
    translated: dict[str, Any] = {"role": role, "content": content}
    if images:
        translated["images"] = images
    if role == "assistant":
        translated |= _assistant_fields(where, message, tool_names)
    if role == "tool":
        translated |= _tool_fields(message, tool_names)
    if message.get("content") is None and not translated.get("tool_calls") and not translated.get("thinking"):
        raise InvalidRequest(f"'{where}.content' is missing.", param=f"{where}.content")
    return translated


def _assistant_fields(where: str, message: Mapping[str, Any], tool_names: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    thinking = message.get("reasoning_content")
    if isinstance(thinking, str) and thinking:
        fields["thinking"] = thinking
    if message.get("tool_calls"):
        calls = parsing.sequence(f"{where}.tool_calls", message["tool_calls"])
        fields["tool_calls"] = [
            _past_call(f"{where}.tool_calls[{index}]", call, tool_names) for index, call in enumerate(calls)
        ]
    return fields


def _past_call(where: str, value: Any, tool_names: dict[str, str]) -> dict[str, Any]:
    call = parsing.mapping(where, value)
    function = parsing.mapping(f"{where}.function", call.get("function"))
    name = parsing.text(f"{where}.function.name", function.get("name"))
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments)
        except orjson.JSONDecodeError as error:
            raise InvalidRequest(
                f"'{where}.function.arguments' is not valid JSON.", param=f"{where}.function.arguments"
            ) from error
    call_id = str(call.get("id") or "")
    tool_names[call_id] = name
    arguments = parsing.mapping(f"{where}.function.arguments", arguments)
    return {"id": call_id, "function": {"name": name, "arguments": arguments}}


def _tool_fields(message: Mapping[str, Any], tool_names: Mapping[str, str]) -> dict[str, Any]:
    call_id = str(message.get("tool_call_id") or "")
    name = tool_names.get(call_id) or str(message.get("name") or "")
    return {key: value for key, value in (("tool_call_id", call_id), ("tool_name", name)) if value}


def _content(where: str, value: Any) -> tuple[str, list[str]]:
    """Return the text and the base64 images of a message's content: a text, null, or a list of parts."""
    if value is None or isinstance(value, str):
        return value or "", []
    texts: list[str] = []
    images: list[str] = []
    for index, item in enumerate(parsing.sequence(where, value)):
        part = parsing.mapping(f"{where}[{index}]", item)
        kind = part.get("type")
        if kind in ("text", "refusal"):
            texts.append(_text_of(f"{where}[{index}].{kind}", part.get(kind)))
        elif kind == "image_url":
            images.append(_image(f"{where}[{index}].image_url", part.get("image_url")))
        else:
            raise InvalidRequest(
                f"'{where}[{index}]' has the type {kind!r}; this server takes text and image_url.",
                param=f"{where}[{index}].type",
            )
    return "\n".join(texts), images


def _text_of(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"'{where}' must be a text.", param=where)
    return value


def _image(where: str, value: Any) -> str:
    url = value.get("url") if isinstance(value, dict) else value
    start = DATA_URL.match(url) if isinstance(url, str) else None
    if start is None or not isinstance(url, str):
        raise InvalidRequest(
            f"'{where}' must be a data URL (data:image/png;base64,…): this server fetches nothing.", param=where
        )
    encoded = url[start.end() :]
    try:
        base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise InvalidRequest(f"'{where}' is not valid base64.", param=where) from error
    return encoded


def engine_tools(tools: Any, choice: Any) -> list[Any] | None:
    """Return the functions that the model may call.

    The engine cannot be forced to call: a chosen function is the only one offered, ``required`` offers all.

    Args:
        tools: The ``tools`` of the request, unchecked.
        choice: Its ``tool_choice``.
    """
    offered = [_tool(f"tools[{index}]", tool) for index, tool in enumerate(parsing.sequence("tools", tools or []))]
    if isinstance(choice, dict):
        wanted = (choice.get("function") or {}).get("name")
        offered = [tool for tool in offered if tool["function"]["name"] == wanted]
        if not offered:
            raise InvalidRequest(f"'tool_choice' names {wanted!r}, which is not among the tools.", param="tool_choice")
    elif choice not in (None, "none", "auto", "required"):
        raise InvalidRequest("'tool_choice' must be none, auto, required or a function.", param="tool_choice")
    return None if choice == "none" or not offered else offered


def _tool(where: str, value: Any) -> dict[str, Any]:
    tool = parsing.mapping(where, value)
    function = parsing.mapping(f"{where}.function", tool.get("function"))
    parsing.text(f"{where}.function.name", function.get("name"))
    return {"type": "function", "function": function}


def wire_tool_calls(calls: Sequence[Mapping[str, Any]], first_index: int = 0) -> list[dict[str, Any]]:
    """Return the engine's tool calls as OpenAI has them: arguments as JSON text, every call with an id.

    Args:
        calls: Ollama's calls.
        first_index: Position of the first in the whole answer, for streams.
    """
    return [
        {
            "index": index,
            "id": call.get("id") or f"call_{index}",
            "type": "function",
            "function": {
                "name": call.get("function", {}).get("name", ""),
                "arguments": orjson.dumps(call.get("function", {}).get("arguments") or {}).decode(),
            },
        }
        for index, call in enumerate(calls, first_index)
    ]
