"""What ``POST /v1/completions`` understands, as one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from premrunner.domain.chat import ChatCall
from premrunner.errors import InvalidRequest
from premrunner.records import CompletionRequest
from premrunner.web import parsing
from premrunner.web.parsing import Check, Parameter
from premrunner.web.wire import sampling
from premrunner.web.wire.new_call import new_call

LOGPROBS_MOST = 20


def _prompt(name: str, value: Any) -> str:
    prompt = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(prompt, str) and prompt:
        return prompt
    if isinstance(value, list) and len(value) > 1 and all(isinstance(text, str) for text in value):
        raise InvalidRequest(f"'{name}' holds {len(value)} texts; send them as so many requests.", param=name)
    if isinstance(value, list) and value:
        raise InvalidRequest(f"'{name}' holds token ids; send the text, the model's own tokens differ.", param=name)
    raise InvalidRequest(f"'{name}' must be a text that is not empty.", param=name)


PROMPT_TEXT = {"type": "string", "minLength": 1}
prompt = Check(_prompt, {"anyOf": [PROMPT_TEXT, {"type": "array", "items": PROMPT_TEXT, "minItems": 1, "maxItems": 1}]})

PARAMETERS = (
    sampling.MODEL,
    Parameter("prompt", prompt, meaning="The text to go on with; or a list that holds one.", is_required=True),
    Parameter("suffix", parsing.any_text, meaning="What comes behind the gap; for models that can fill one."),
    *sampling.STREAM,
    sampling.MAX_TOKENS,
    *sampling.NUCLEUS,
    *sampling.PENALTIES,
    sampling.STOP,
    Parameter("logprobs", parsing.integer(0, LOGPROBS_MOST), meaning="Log probabilities, with so many alternatives."),
    Parameter("echo", parsing.flag, meaning="Begin the answer with the prompt."),
    Parameter("n", sampling.one, meaning="Number of answers: 1."),
    Parameter("best_of", sampling.one, meaning="Number of answers to choose from: 1."),
    sampling.KEEP_ALIVE,
    sampling.OPTIONS,
)


@dataclass(frozen=True)
class CompletionWish:
    """A completion and how its answer shall look.

    Attributes:
        call: The call.
        prefix: What the answer begins with: the prompt, if it was to be echoed.
        include_usage: Whether a stream ends with token counts.
    """

    call: ChatCall
    prefix: str
    include_usage: bool


def parse_completion(body: Mapping[str, Any]) -> CompletionWish:
    """Return what a request body asks for.

    Raises:
        InvalidRequest: A field is wrong; it is named.
    """
    checked = parsing.fields(PARAMETERS, body)
    request = CompletionRequest(
        model=checked["model"],
        prompt=checked["prompt"],
        suffix=checked.get("suffix", ""),
        options=sampling.engine_options(PARAMETERS, checked),
        keep_alive=checked.get("keep_alive"),
        logprobs="logprobs" in checked,
        top_logprobs=checked.get("logprobs", 0),
    )
    call = new_call(request, PARAMETERS, body, "prompt")
    prefix = request.prompt if checked.get("echo") else ""
    return CompletionWish(call, prefix, sampling.wants_usage(checked))
