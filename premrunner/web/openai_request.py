"""What ``POST /v1/chat/completions`` understands, as one table, and what becomes of each field."""

from collections.abc import Mapping
from typing import Any

from premrunner.domain.chat import ChatCall
from premrunner.errors import InvalidRequest
from premrunner.records import ChatRequest
from premrunner.web import openai_messages, parsing
from premrunner.web.parsing import Parameter

MOST_TOKENS = 2**31 - 1
STOPS_MOST = 16

THINK: Mapping[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}


def _stop(name: str, value: Any) -> list[str]:
    stops = [value] if isinstance(value, str) else parsing.sequence(name, value)
    if len(stops) > STOPS_MOST or not all(isinstance(stop, str) for stop in stops):
        raise InvalidRequest(f"'{name}' must be a text or up to {STOPS_MOST} texts.", param=name)
    return [stop for stop in stops if stop]


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


def _effort(name: str, value: Any) -> bool | str:
    if not isinstance(value, str) or value not in THINK:
        raise InvalidRequest(f"'{name}' must be one of {', '.join(THINK)}.", param=name)
    return THINK[value]


def _one(name: str, value: Any) -> int:
    if parsing.integer(1, 128)(name, value) != 1:
        raise InvalidRequest(f"'{name}' must be 1: this server gives one answer a request.", param=name)
    return 1


def _keep_alive(name: str, value: Any) -> str | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidRequest(f"'{name}' must be a number of seconds or a duration such as \"5m\".", param=name)
    return value


def _text_only(name: str, value: Any) -> Any:
    if value != ["text"]:
        raise InvalidRequest(f"'{name}' must be [\"text\"]: this server's models answer in text.", param=name)
    return value


# Those with an option go to the engine under that name; the others are used below.
PARAMETERS = (
    Parameter("model", parsing.text, meaning="Alias, id or engine name of the model."),
    Parameter("messages", lambda _, value: openai_messages.engine_messages(value), meaning="The conversation so far."),
    Parameter("stream", parsing.flag, meaning="Answer as server-sent events."),
    Parameter("stream_options", parsing.mapping, meaning="`include_usage`: send token counts as a last chunk."),
    Parameter("max_tokens", parsing.integer(1, MOST_TOKENS), "num_predict", "Longest answer, in tokens."),
    Parameter("max_completion_tokens", parsing.integer(1, MOST_TOKENS), "num_predict", "Same, and it wins."),
    Parameter("temperature", parsing.number(0, 2), "temperature", "Randomness; 0 always takes the likeliest token."),
    Parameter("top_p", parsing.number(0, 1), "top_p", "Take from the likeliest tokens of this total probability."),
    Parameter("top_k", parsing.integer(0, MOST_TOKENS), "top_k", "Take from so many likeliest tokens (extension)."),
    Parameter("min_p", parsing.number(0, 1), "min_p", "Least probability against the likeliest (extension)."),
    Parameter("repeat_penalty", parsing.number(0, 10), "repeat_penalty", "Penalty for repeating (extension)."),
    Parameter("frequency_penalty", parsing.number(-2, 2), "frequency_penalty", "Penalty by count of repeats."),
    Parameter("presence_penalty", parsing.number(-2, 2), "presence_penalty", "Penalty for any repeat."),
    Parameter("seed", parsing.integer(-(2**63), 2**63 - 1), "seed", "Same seed, same answer."),
    Parameter("stop", _stop, "stop", "Texts at which the answer ends."),
    Parameter("response_format", _format, meaning="`text`, `json_object`, or `json_schema` with a schema."),
    Parameter("tools", parsing.sequence, meaning="Functions the model may call."),
    Parameter("tool_choice", lambda _, value: value, meaning="`none`, `auto`, `required`, or the function to offer."),
    Parameter("logprobs", parsing.flag, meaning="Give each token's log probability."),
    Parameter("top_logprobs", parsing.integer(0, 20), meaning="And those of so many alternatives."),
    Parameter("reasoning_effort", _effort, meaning="How much a thinking model thinks; `none` not at all."),
    Parameter("n", _one, meaning="Number of answers: 1."),
    Parameter("modalities", _text_only, meaning='`["text"]`.'),
    Parameter("keep_alive", _keep_alive, meaning="How long the model stays loaded (extension, as in Ollama)."),
    Parameter("options", parsing.mapping, meaning="Engine options such as `num_ctx` (extension, as in Ollama)."),
)


def parse_chat(body: Mapping[str, Any]) -> tuple[ChatCall, bool]:
    """Return the call that a request body asks for, and whether its stream shall end with token counts.

    Args:
        body: The JSON object; fields that are null count as absent, unknown ones have no effect.

    Raises:
        InvalidRequest: A field is wrong; it is named.
    """
    given = {parameter.name: body.get(parameter.name) for parameter in PARAMETERS}
    checked = {
        parameter.name: parameter.check(parameter.name, given[parameter.name])
        for parameter in PARAMETERS
        if given[parameter.name] is not None or parameter.name in ("model", "messages")
    }
    is_stream = checked.get("stream", False)
    call = ChatCall(
        request=_engine_request(checked),
        sent_messages=body["messages"],
        parameters={name: value for name, value in body.items() if name != "messages"},
        ignored=[name for name, value in body.items() if name not in given and value is not None],
        is_stream=is_stream,
    )
    return call, is_stream and checked.get("stream_options", {}).get("include_usage") is True


def _engine_request(checked: Mapping[str, Any]) -> ChatRequest:
    options = dict(checked.get("options", {}))
    for parameter in PARAMETERS:
        if parameter.option and parameter.name in checked:
            options[parameter.option] = checked[parameter.name]
    top_logprobs = checked.get("top_logprobs", 0)
    if top_logprobs and not checked.get("logprobs"):
        raise InvalidRequest("'top_logprobs' needs 'logprobs': true.", param="top_logprobs")
    return ChatRequest(
        model=checked["model"],
        messages=checked["messages"],
        options=options,
        format=checked.get("response_format"),
        tools=openai_messages.engine_tools(checked.get("tools"), checked.get("tool_choice")),
        think=checked.get("reasoning_effort"),
        keep_alive=checked.get("keep_alive"),
        logprobs=checked.get("logprobs", False),
        top_logprobs=top_logprobs,
    )
