"""What ``POST /v1/messages`` (Anthropic's wire) understands, as one table."""

from collections.abc import Iterator, Mapping
from typing import Any

from premrunner.domain.chat import ChatCall
from premrunner.errors import InvalidRequest
from premrunner.records import ChatRequest
from premrunner.web import parsing
from premrunner.web.parsing import Check, Parameter
from premrunner.web.wire import openai_messages, sampling
from premrunner.web.wire.new_call import new_call

ROLES = ("user", "assistant")
# Anthropic's words for OpenAI's choices; a named tool is treated apart.
CHOICES = {"auto": "auto", "any": "required", "none": "none"}
THINKS = {"enabled": True, "adaptive": True, "disabled": False}


def _system(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    blocks = [parsing.mapping(f"{name}[{index}]", block) for index, block in enumerate(parsing.sequence(name, value))]
    return "\n".join(parsing.any_text(f"{name}[{index}].text", block.get("text")) for index, block in enumerate(blocks))


def _messages(name: str, value: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    tool_names: dict[str, str] = {}
    for index, item in enumerate(parsing.sequence(name, value)):
        where = f"{name}[{index}]"
        message = parsing.mapping(where, item)
        role = parsing.choice(*ROLES)(f"{where}.role", message.get("role"))
        for translated in _chat_messages(f"{where}.content", role, message.get("content")):
            messages.append(openai_messages.engine_message(where, translated, tool_names))
    if not messages:
        raise InvalidRequest(f"'{name}' is empty.", param=name)
    return messages


def _chat_messages(where: str, role: str, content: Any) -> Iterator[dict[str, Any]]:
    """Yield a message as those of the chat wire: results of tools are messages of their own there, and come first."""
    if not isinstance(content, list):
        yield {"role": role, "content": content}
        return
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    thoughts: list[str] = []
    for index, item in enumerate(content):
        block = parsing.mapping(f"{where}[{index}]", item)
        kind = block.get("type")
        if kind == "tool_result":
            yield _tool_result(f"{where}[{index}]", block)
        elif kind == "tool_use":
            function = {"name": block.get("name"), "arguments": block.get("input")}
            calls.append({"id": block.get("id"), "function": function})
        elif kind == "thinking":
            thoughts.append(parsing.any_text(f"{where}[{index}].thinking", block.get("thinking")))
        elif kind != "redacted_thinking":
            parts.append(_part(f"{where}[{index}]", block))
    if parts or calls or thoughts:
        yield {"role": role, "content": parts, "tool_calls": calls, "reasoning_content": "\n".join(thoughts)}


def _tool_result(where: str, block: Mapping[str, Any]) -> dict[str, Any]:
    content = block.get("content") or ""
    if isinstance(content, list):
        content = [_part(f"{where}.content[{index}]", part) for index, part in enumerate(content)]
    return {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content}


def _part(where: str, value: Any) -> dict[str, Any]:
    block = parsing.mapping(where, value)
    kind = block.get("type")
    if kind == "text":
        return {"type": "text", "text": block.get("text")}
    if kind == "image":
        source = parsing.mapping(f"{where}.source", block.get("source"))
        url = source.get("url")
        if source.get("type") == "base64":
            url = f"data:{source.get('media_type')};base64,{source.get('data')}"
        return {"type": "image_url", "image_url": {"url": url}}
    raise InvalidRequest(f"'{where}' has the type {kind!r}; this server takes text and image.", param=f"{where}.type")


def _tools(name: str, value: Any) -> list[dict[str, Any]]:
    return [_tool(f"{name}[{index}]", tool) for index, tool in enumerate(parsing.sequence(name, value))]


def _tool(where: str, value: Any) -> dict[str, Any]:
    tool = parsing.mapping(where, value)
    if tool.get("type", "custom") != "custom":
        raise InvalidRequest(
            f"'{where}' has the type {tool['type']!r}; this server offers models your functions only.",
            param=f"{where}.type",
        )
    function = {"name": parsing.text(f"{where}.name", tool.get("name"))}
    described = {"description": tool.get("description"), "parameters": tool.get("input_schema")}
    return {"type": "function", "function": function | {key: said for key, said in described.items() if said}}


def _tool_choice(name: str, value: Any) -> Any:
    wanted = parsing.mapping(name, value)
    if wanted.get("type") == "tool":
        return {"function": {"name": wanted.get("name")}}
    return CHOICES[parsing.choice(*CHOICES)(f"{name}.type", wanted.get("type"))]


def _think(name: str, value: Any) -> bool:
    return THINKS[parsing.choice(*THINKS)(f"{name}.type", parsing.mapping(name, value).get("type"))]


MESSAGE = {
    "type": "object",
    "properties": {"role": {"enum": list(ROLES)}, "content": {"type": ["string", "array"]}},
    "required": ["role", "content"],
}
TOOL = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TYPED = {"type": "object", "properties": {"type": {"type": "string"}}, "required": ["type"]}

PARAMETERS = (
    sampling.MODEL,
    Parameter(
        "messages",
        Check(_messages, {"type": "array", "items": MESSAGE, "minItems": 1}),
        meaning="The conversation so far.",
        is_required=True,
    ),
    Parameter("max_tokens", sampling.token_count, "num_predict", "Longest answer, in tokens.", is_required=True),
    Parameter("system", Check(_system, {"type": ["string", "array"]}), meaning="The system message."),
    Parameter("stream", parsing.flag, meaning="Answer as server-sent events."),
    *sampling.NUCLEUS,
    Parameter("stop_sequences", sampling.stop, "stop", "Texts at which the answer ends."),
    Parameter("tools", Check(_tools, {"type": "array", "items": TOOL}), meaning="Functions the model may call."),
    Parameter("tool_choice", Check(_tool_choice, TYPED), meaning="`auto`, `any`, `none`, or the `tool` to offer."),
    Parameter("thinking", Check(_think, TYPED), meaning="Whether a thinking model thinks."),
    sampling.KEEP_ALIVE,
    sampling.OPTIONS,
)


def parse_message(body: Mapping[str, Any]) -> ChatCall:
    """Return the call that a request body asks for.

    Raises:
        InvalidRequest: A field is wrong; it is named.
    """
    checked = parsing.fields(PARAMETERS, body)
    before = [{"role": "system", "content": checked["system"]}] if checked.get("system") else []
    request = ChatRequest(
        model=checked["model"],
        messages=[*before, *checked["messages"]],
        options=sampling.engine_options(PARAMETERS, checked),
        tools=openai_messages.engine_tools(checked.get("tools"), checked.get("tool_choice")),
        think=checked.get("thinking"),
        keep_alive=checked.get("keep_alive"),
    )
    return new_call(request, PARAMETERS, body, "messages")
