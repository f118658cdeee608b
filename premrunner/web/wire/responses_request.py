"""What ``POST /v1/responses`` understands, as one table: the stateless form, where each request says everything."""

from collections.abc import Mapping
from typing import Any, NoReturn

from premrunner.domain.chat import ChatCall
from premrunner.errors import InvalidRequest
from premrunner.records import ChatRequest
from premrunner.web import parsing
from premrunner.web.parsing import Check, Parameter
from premrunner.web.wire import openai_messages, responses_input, sampling
from premrunner.web.wire.new_call import new_call


def _stored(name: str, _value: Any) -> NoReturn:
    raise InvalidRequest(
        f"'{name}' needs answers that are kept, and this server keeps none for clients: "
        "send the whole conversation as 'input'.",
        param=name,
    )


def _foreground(name: str, value: Any) -> bool:
    if parsing.flag(name, value):
        raise InvalidRequest(f"'{name}' must be false: this server answers while you wait.", param=name)
    return False


def _effort(name: str, value: Any) -> bool | str | None:
    wanted = parsing.mapping(name, value).get("effort")
    return None if wanted is None else sampling.effort(f"{name}.effort", wanted)


ITEM = {"type": "object", "properties": {"type": {"type": "string"}, "role": {"type": "string"}}}
STORED = Check[Any](_stored, {"type": "null"})

messages = Check(
    responses_input.engine_messages,
    {"anyOf": [{"type": "string", "pattern": r"\S"}, {"type": "array", "items": ITEM, "minItems": 1}]},
)
tools = Check(responses_input.chat_tools, {"type": "array", "items": {"type": "object"}})
tool_choice = Check(responses_input.chat_tool_choice, {"type": ["string", "object"]})

PARAMETERS = (
    sampling.MODEL,
    Parameter("input", messages, meaning="A text, or the items of the conversation so far.", is_required=True),
    Parameter("instructions", parsing.any_text, meaning="The system message."),
    Parameter("stream", parsing.flag, meaning="Answer as server-sent events."),
    Parameter("max_output_tokens", sampling.token_count, "num_predict", "Longest answer, in tokens."),
    *sampling.NUCLEUS,
    Parameter("text", Check(responses_input.response_format, {"type": "object"}), meaning="`format`: text or JSON."),
    Parameter("tools", tools, meaning="Functions the model may call."),
    Parameter("tool_choice", tool_choice, meaning="`none`, `auto`, `required`, or the function to offer."),
    Parameter("reasoning", Check(_effort, {"type": "object"}), meaning="`effort`: how much a thinking model thinks."),
    Parameter("background", Check(_foreground, {"const": False}), meaning="False."),
    Parameter("previous_response_id", STORED, meaning="Null: nothing is kept from one request to the next."),
    Parameter("conversation", STORED, meaning="Null, likewise."),
    Parameter("prompt", STORED, meaning="Null, likewise."),
    sampling.KEEP_ALIVE,
    sampling.OPTIONS,
)


def parse_response(body: Mapping[str, Any]) -> ChatCall:
    """Return the call that a request body asks for.

    Raises:
        InvalidRequest: A field is wrong; it is named.
    """
    checked = parsing.fields(PARAMETERS, body)
    instructions = checked.get("instructions")
    before = [{"role": "system", "content": instructions}] if instructions else []
    request = ChatRequest(
        model=checked["model"],
        messages=[*before, *checked["input"]],
        options=sampling.engine_options(PARAMETERS, checked),
        format=checked.get("text"),
        tools=openai_messages.engine_tools(checked.get("tools"), checked.get("tool_choice")),
        think=checked.get("reasoning"),
        keep_alive=checked.get("keep_alive"),
    )
    return new_call(request, PARAMETERS, body, "input")
