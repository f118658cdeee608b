"""What every API's request becomes in the end: a call, with what its record keeps of the body."""

from collections.abc import Mapping, Sequence
from typing import Any

from premrunner.domain.chat import ChatCall
from premrunner.records import ChatRequest, CompletionRequest
from premrunner.web import parsing
from premrunner.web.parsing import Parameter


def new_call(
    request: ChatRequest | CompletionRequest, table: Sequence[Parameter], body: Mapping[str, Any], said: str
) -> ChatCall:
    """Return the call of a body that was checked.

    Args:
        request: What the engine is asked.
        table: The fields that the body's API has.
        body: As it came.
        said: The field that holds what was said; the others are the record's parameters.
    """
    return ChatCall(
        request=request,
        sent=body[said],
        parameters={name: value for name, value in body.items() if name != said},
        ignored=parsing.without_effect(table, body),
        is_stream=bool(body.get("stream")),
    )
