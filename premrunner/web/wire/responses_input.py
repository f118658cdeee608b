"""Translate the items of OpenAI's Responses wire into the messages and tools of its chat wire."""

from collections.abc import Mapping
from typing import Any

from premrunner.errors import InvalidRequest
from premrunner.web import parsing
from premrunner.web.wire.openai_messages import engine_message

PARTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal", "input_image": "image_url"}


def engine_messages(name: str, value: Any) -> list[dict[str, Any]]:
    """Return a conversation in the engine's shape.

    Args:
        name: What the caller calls the field.
        value: A text, or a list of items, unchecked.

    Raises:
        InvalidRequest: An item is not as OpenAI's API has them; the parameter names which.
    """
    if isinstance(value, str):
        return [{"role": "user", "content": parsing.text(name, value)}]
    items = parsing.sequence(name, value)
    if not items:
        raise InvalidRequest(f"'{name}' is empty.", param=name)
    messages: list[dict[str, Any]] = []
    tool_names: dict[str, str] = {}
    for index, item in enumerate(items):
        where = f"{name}[{index}]"
        message = _chat_message(where, parsing.mapping(where, item))
        if message is not None:
            _append(messages, engine_message(where, message, tool_names))
    return messages


def _append(messages: list[dict[str, Any]], message: dict[str, Any]) -> None:
    """Add a message; calls join what the assistant said before them, as they were one answer."""
    last = messages[-1] if messages else {}
    if message.get("tool_calls") and last.get("role") == "assistant":
        last["tool_calls"] = [*last.get("tool_calls", ()), *message["tool_calls"]]
    else:
        messages.append(message)


def _chat_message(where: str, item: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an item as a message of the chat wire; None for one that says nothing to a model."""
    kind = item.get("type", "message")
    if kind == "message":
        return {"role": item.get("role"), "content": _content(f"{where}.content", item.get("content"))}
    if kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        return {"role": "assistant", "content": None, "tool_calls": [{"id": item.get("call_id"), "function": function}]}
    if kind == "function_call_output":
        output = _content(f"{where}.output", item.get("output"))
        return {"role": "tool", "tool_call_id": item.get("call_id"), "content": output}
    if kind == "reasoning":
        return None
    raise InvalidRequest(
        f"'{where}' has the type {kind!r}; this server takes message, function_call, function_call_output and "
        "reasoning, each with its content.",
        param=f"{where}.type",
    )


def _content(where: str, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [_part(f"{where}[{index}]", parsing.mapping(f"{where}[{index}]", part)) for index, part in enumerate(value)]


def _part(where: str, part: Mapping[str, Any]) -> dict[str, Any]:
    kind = PARTS.get(str(part.get("type")))
    if kind is None:
        raise InvalidRequest(
            f"'{where}' has the type {part.get('type')!r}; this server takes input_text, output_text and input_image.",
            param=f"{where}.type",
        )
    return {"type": kind, kind: part.get(kind)}


def chat_tools(name: str, value: Any) -> list[dict[str, Any]]:
    """Return the tools as the chat wire has them.

    Raises:
        InvalidRequest: One is not a function; this server runs no tools of its own.
    """
    return [_tool(f"{name}[{index}]", tool) for index, tool in enumerate(parsing.sequence(name, value))]


def _tool(where: str, value: Any) -> dict[str, Any]:
    tool = parsing.mapping(where, value)
    if tool.get("type") != "function":
        raise InvalidRequest(
            f"'{where}' has the type {tool.get('type')!r}; this server offers models your functions only.",
            param=f"{where}.type",
        )
    parsing.text(f"{where}.name", tool.get("name"))
    function = {field: tool[field] for field in ("name", "description", "parameters") if tool.get(field) is not None}
    return {"type": "function", "function": function}


def chat_tool_choice(name: str, value: Any) -> Any:
    """Return the choice of a tool as the chat wire has it."""
    return {"function": {"name": value.get("name")}} if isinstance(value, dict) else value


def response_format(name: str, value: Any) -> str | Mapping[str, Any] | None:
    """Return the engine's format for the ``text`` of a request."""
    wanted = parsing.mapping(f"{name}.format", parsing.mapping(name, value).get("format") or {"type": "text"})
    kind = wanted.get("type")
    if kind == "json_schema":
        return parsing.mapping(f"{name}.format.schema", wanted.get("schema"))
    if kind not in ("text", "json_object"):
        raise InvalidRequest(
            f"'{name}.format.type' must be text, json_object or json_schema.", param=f"{name}.format.type"
        )
    return "json" if kind == "json_object" else None
