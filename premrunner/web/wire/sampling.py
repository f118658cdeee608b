"""The fields that steer generation, the same on every wire, and the engine's options that they become."""

from collections.abc import Iterable, Mapping
from typing import Any

from premrunner.errors import InvalidRequest
from premrunner.web import parsing
from premrunner.web.parsing import Check, Parameter

MOST_TOKENS = 2**31 - 1
STOPS_MOST = 16

# What the wires call an effort, and what the engine calls it.
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


def _keep_alive(name: str, value: Any) -> str | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidRequest(f"'{name}' must be a number of seconds or a duration such as \"5m\".", param=name)
    return value


def _one(name: str, value: Any) -> int:
    if parsing.integer(1, 128)(name, value) != 1:
        raise InvalidRequest(f"'{name}' must be 1: this server gives one answer a request.", param=name)
    return 1


TEXTS = {"type": "array", "items": {"type": "string"}}

stop = Check(_stop, {"anyOf": [{"type": "string"}, {**TEXTS, "maxItems": STOPS_MOST}]})
keep_alive = Check(_keep_alive, {"type": ["string", "number"]})
one = Check(_one, {"const": 1})
token_count = parsing.integer(1, MOST_TOKENS)
effort = Check(lambda name, value: THINK[parsing.choice(*THINK)(name, value)], parsing.choice(*THINK).schema)

# Those with an option go to the engine under that name.
NUCLEUS = (
    Parameter("temperature", parsing.number(0, 2), "temperature", "Randomness; 0 always takes the likeliest token."),
    Parameter("top_p", parsing.number(0, 1), "top_p", "Take from the likeliest tokens of this total probability."),
    Parameter("top_k", parsing.integer(0, MOST_TOKENS), "top_k", "Take from so many likeliest tokens (extension)."),
)
PENALTIES = (
    Parameter("min_p", parsing.number(0, 1), "min_p", "Least probability against the likeliest (extension)."),
    Parameter("repeat_penalty", parsing.number(0, 10), "repeat_penalty", "Penalty for repeating (extension)."),
    Parameter("frequency_penalty", parsing.number(-2, 2), "frequency_penalty", "Penalty by count of repeats."),
    Parameter("presence_penalty", parsing.number(-2, 2), "presence_penalty", "Penalty for any repeat."),
    Parameter("seed", parsing.integer(-(2**63), 2**63 - 1), "seed", "Same seed, same answer."),
)
STOP = Parameter("stop", stop, "stop", "Texts at which the answer ends.")
MAX_TOKENS = Parameter("max_tokens", token_count, "num_predict", "Longest answer, in tokens.")
KEEP_ALIVE = Parameter("keep_alive", keep_alive, meaning="How long the model stays loaded (extension, as in Ollama).")
OPTIONS = Parameter("options", parsing.mapping, meaning="Engine options such as `num_ctx` (extension, as in Ollama).")
STREAM = (
    Parameter("stream", parsing.flag, meaning="Answer as server-sent events."),
    Parameter("stream_options", parsing.mapping, meaning="`include_usage`: send token counts as a last chunk."),
)
MODEL = Parameter("model", parsing.text, meaning="Alias, id or engine name of the model.", is_required=True)


def engine_options(parameters: Iterable[Parameter], checked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine's options: those given as such, and over them those with a name of their own."""
    options = dict(checked.get("options", {}))
    for parameter in parameters:
        if parameter.option and parameter.name in checked:
            options[parameter.option] = checked[parameter.name]
    return options


def wants_usage(checked: Mapping[str, Any]) -> bool:
    """Whether a stream shall end with its token counts."""
    return checked.get("stream", False) and checked.get("stream_options", {}).get("include_usage") is True
