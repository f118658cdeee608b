"""What ``POST /v1/chat/completions`` understands, as one table, and what becomes of each field."""

from collections.abc import Mapping
from typing import Any

from premrunner.domain.chat import ChatCall
from premrunner.errors import InvalidRequest
from premrunner.records import ChatRequest
from premrunner.web import parsing
from premrunner.web.parsing import Check, Parameter
from premrunner.web.wire import openai_messages, sampling
from premrunner.web.wire.new_call import new_call

ANYTHING = Check[Any](lambda _, value: value, {})
MESSAGE = {
    "type": "object",
    "properties": {"role": {"enum": list(openai_messages.ROLES)}, "content": {"type": ["string", "array", "null"]}},
    "required": ["role"],
}
TOOL = {
    "type": "object",
    "properties": {
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}},
            "required": ["name"],
        },
    },
    "required": ["function"],
}
FORMATS = {"type": "object", "properties": {"type": {"enum": ["text", "json_object", "json_schema"]}}}

messages = Check(
    lambda _, value: openai_messages.engine_messages(value), {"type": "array", "items": MESSAGE, "minItems": 1}
)
tools = Check(parsing.sequence.accept, {"type": "array", "items": TOOL})


def _format(name: str, value: Any) -> str | Mapping[str, Any] | None:
    wanted = parsing.mapping(name, value)
    kind = wanted.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return "json"
    if kind == "json_schema":
        schema = parsing.mapping(f"{name}.json_schema", wanted.get("json_schema"))
        return parsing.mapping(f"{name}.json_schema.schema", schema.get("schema"))
    raise InvalidRequest(f"'{name}.type' must be text, json_object or json_schema.", param=f"{name}.type")


def _text_only(name: str, value: Any) -> Any:
    if value != ["text"]:
        raise InvalidRequest(f"'{name}' must be [\"text\"]: this server's models answer in text.", param=name)
    return value


PARAMETERS = (
    sampling.MODEL,
    Parameter("messages", messages, meaning="The conversation so far.", is_required=True),
    *sampling.STREAM,
    sampling.MAX_TOKENS,
    Parameter("max_completion_tokens", sampling.token_count, "num_predict", "Same, and it wins."),
    *sampling.NUCLEUS,
    *sampling.PENALTIES,
    sampling.STOP,
    Parameter(
        "response_format",
        Check(_format, {**FORMATS, "required": ["type"]}),
        meaning="`text`, `json_object`, or `json_schema` with a schema.",
    ),
    Parameter("tools", tools, meaning="Functions the model may call."),
    Parameter("tool_choice", ANYTHING, meaning="`none`, `auto`, `required`, or the function to offer."),
    Parameter("logprobs", parsing.flag, meaning="Give each token's log probability."),
    Parameter("top_logprobs", parsing.integer(0, 20), meaning="And those of so many alternatives."),
    Parameter("reasoning_effort", sampling.effort, meaning="How much a thinking model thinks; `none` not at all."),
    Parameter("n", sampling.one, meaning="Number of answers: 1."),
    Parameter("modalities", Check(_text_only, {"const": ["text"]}), meaning='`["text"]`.'),
    sampling.KEEP_ALIVE,
    sampling.OPTIONS,
)


def parse_chat(body: Mapping[str, Any]) -> tuple[ChatCall, bool]:
    """Return the call that a request body asks for, and whether its stream shall end with token counts.

    Args:
        body: The JSON object; fields that are null count as absent, unknown ones have no effect.

    Raises:
        InvalidRequest: A field is wrong; it is named.
    """
    checked = parsing.fields(PARAMETERS, body)
    call = new_call(_engine_request(checked), PARAMETERS, body, "messages")
    return call, sampling.wants_usage(checked)


def _engine_request(checked: Mapping[str, Any]) -> ChatRequest:
    top_logprobs = checked.get("top_logprobs", 0)
    if top_logprobs and not checked.get("logprobs"):
        raise InvalidRequest("'top_logprobs' needs 'logprobs': true.", param="top_logprobs")
    return ChatRequest(
        model=checked["model"],
        messages=checked["messages"],
        options=sampling.engine_options(PARAMETERS, checked),
        format=checked.get("response_format"),
        tools=openai_messages.engine_tools(checked.get("tools"), checked.get("tool_choice")),
        think=checked.get("reasoning_effort"),
        keep_alive=checked.get("keep_alive"),
        logprobs=checked.get("logprobs", False),
        top_logprobs=top_logprobs,
    )
