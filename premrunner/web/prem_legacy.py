"""What clients of Prem's old platform (``premai`` 0.3, ``@premai/prem-sdk`` 0.3) find here in place of it.

Their requests carry ``project_id``, which nothing else sends. Their JavaScript needs the framing and the pauses of the
old servers: it has no queue, so an end that comes in the same moment as the last chunk is lost, and it waits for ever.
"""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Any

from premrunner.domain.catalog import CatalogModel
from premrunner.domain.chat import Answer, ChatRun
from premrunner.errors import InvalidRequest
from premrunner.records import Trace
from premrunner.web import sse
from premrunner.web.wire import openai_reply

# 20 ms were measured to be enough every time; half as much again for a busy machine.
PAUSE_SECONDS = 0.03
PROVIDER = {"provider_name": "prem", "provider_id": "prem"}
# Its types want a number, and ours has no projects.
PROJECT = {"project_id": 0, "name": "PremRunner"}


def is_legacy(body: Mapping[str, Any]) -> bool:
    """Whether a request comes from such a client."""
    return body.get("project_id") is not None


def provider(body: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what the answer to a legacy request has besides OpenAI's fields; nothing for others."""
    return PROVIDER if is_legacy(body) else {}


def as_openai(body: Mapping[str, Any], default_model: str) -> dict[str, Any]:
    """Return a legacy chat request as OpenAI's clients would have sent it.

    Args:
        body: The request.
        default_model: Where the old platform had a model for each project.

    Raises:
        InvalidRequest: It uses a prompt template, which were kept on the platform.
    """
    messages = body.get("messages")
    if isinstance(messages, list) and any(isinstance(one, dict) and one.get("template_id") for one in messages):
        raise InvalidRequest(
            "Prompt templates were kept on Prem's platform; send 'content' instead of 'template_id'.",
            param="messages",
        )
    translated = {**body, "model": body.get("model") or default_model}
    if isinstance(messages, list) and isinstance(body.get("system_prompt"), str):
        translated["messages"] = [{"role": "system", "content": body["system_prompt"]}, *messages]
    return translated


def completion(run: ChatRun, answer: Answer) -> dict[str, Any]:
    """Return a whole answer with the fields that its parsers fail without."""
    reply = openai_reply.completion(run, answer)
    for choice in reply["choices"]:
        choice["message"].setdefault("tool_calls", None)
        choice["message"]["content"] = choice["message"]["content"] or ""
    return {**reply, **_extras(run)}


def chunks(run: ChatRun) -> Generator[dict[str, Any], None, None]:
    """Yield an answer in pieces: each with one choice and a text, because its users read both unasked."""
    with closing(openai_reply.chunks(run, include_usage=False)) as pieces:
        for piece in pieces:
            for choice in piece["choices"]:
                choice["delta"] = {"content": "", **choice["delta"]}
            yield {**piece, **_extras(run)}


def _extras(run: ChatRun) -> dict[str, Any]:
    return {**PROVIDER, "trace_id": run.id, "document_chunks": []}


def _ending(run: ChatRun) -> Iterator[bytes]:
    time.sleep(PAUSE_SECONDS)
    yield f"event: done\ndata: [DONE]\ntrace_id: {run.id}\ndocument_chunks: []\n\n".encode()
    time.sleep(PAUSE_SECONDS)


FRAMING = sse.Framing(write=lambda value: sse.event(value, "completion"), ending=_ending, always_ends=True)


def legacy_model(model: CatalogModel) -> dict[str, Any]:
    """Return a model as the old platform listed it."""
    return {
        "id": model.model_id,
        "name": model.name,
        "model_type": "text2text",
        "model_provider": "prem",
        "deprecated": False,
    }


def legacy_trace(trace: Trace) -> dict[str, Any]:
    """Return a call as the old platform listed it."""
    return {"trace_id": trace.id, "project_id": PROJECT["project_id"], "model_id": trace.model, "feedback": None}


def legacy_trace_detail(trace: Trace, messages: Any) -> dict[str, Any]:
    """Return one call as the old platform showed it.

    Args:
        trace: The call.
        messages: What was said, the answer last.
    """
    return {
        **legacy_trace(trace),
        "project": PROJECT,
        "model": {"id": trace.model, "name": trace.model},
        "session_id": None,
        "messages": messages,
    }
