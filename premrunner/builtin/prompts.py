"""What a client asks as llama.cpp's request: messages, tools, format, thinking, images."""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson

from premrunner.builtin.body import Body
from premrunner.builtin.manifests import Manifest
from premrunner.builtin.names import ModelName
from premrunner.builtin.options import read_options
from premrunner.builtin.refusals import Refusal
from premrunner.builtin.translate import Delta, chat_deltas, completion_deltas

_EFFORTS = {"low", "medium", "high", "max"}
_NO_IMAGES = {
    "error": {
        "code": 400,
        "message": "Multimodal data provided, but model does not support multimodal requests.",
        "type": "invalid_request_error",
    }
}
# The first bytes of base64 tell the kind; llama.cpp looks at the data itself, but wants some kind named.
_IMAGE_KINDS = {"iVBOR": "png", "R0lGO": "gif", "UklGR": "webp"}


@dataclass(frozen=True)
class Question:
    """A request as llama.cpp wants it.

    Attributes:
        path: Of llama.cpp's endpoint.
        body: For it.
        deltas: Makes pieces of an answer out of that endpoint's events.
        context_tokens: The context asked for, None for the engine's default.
    """

    path: str
    body: dict[str, Any]
    deltas: Callable[[Iterable[Mapping[str, Any]]], Iterator[Delta]]
    context_tokens: int | None


def chat_question(body: Body, messages: Sequence[dict[str, Any]], manifest: Manifest) -> Question:
    """Return a chat as llama.cpp's request.

    Args:
        body: Of Ollama's request.
        messages: Ollama's messages, the model's own not among them.
        manifest: The model.

    Raises:
        Refusal: A field is wrong, or asks for what the model lacks.
    """
    top_logprobs = _top_logprobs(body)
    think, tools = _think(body.get("think")), body.array("tools")
    if think and "thinking" not in manifest.capabilities:
        raise Refusal(f'"{body.model()}" does not support thinking')
    if tools and "tools" not in manifest.capabilities:
        raise Refusal(f"{ModelName.parse(manifest.name).full} does not support tools")
    sampling = read_options(manifest.parameters, body.mapping("options"))
    translated = _with_own_messages(messages, manifest)
    wanted: dict[str, Any] = {"messages": translated, "stream": True, "reasoning_format": "auto", **sampling.fields}
    if tools:
        wanted["tools"] = tools
    if response_format := _response_format(body.get("format")):
        wanted["response_format"] = response_format
    if body.flag("logprobs"):
        wanted |= {"logprobs": True, "top_logprobs": max(top_logprobs, 1)}
    # llama.cpp cannot continue an answer and think at the same time.
    if template_words := _template_words(False if translated[-1]["role"] == "assistant" else think):
        wanted["chat_template_kwargs"] = template_words
    deltas = partial(chat_deltas, top_logprobs=top_logprobs)
    return Question("/v1/chat/completions", wanted, deltas, sampling.context_tokens)


def raw_question(body: Body, manifest: Manifest) -> Question:
    """Return a text to be continued as it stands, or a gap before a suffix to be filled; faults as in a chat."""
    top_logprobs = _top_logprobs(body)
    sampling = read_options(manifest.parameters, body.mapping("options"))
    wanted: dict[str, Any] = {"stream": True, **sampling.fields}
    if response_format := _response_format(body.get("format")):
        wanted["json_schema"] = response_format.get("json_schema", {}).get("schema", {"type": "object"})
    if body.flag("logprobs"):
        wanted["n_probs"] = max(top_logprobs, 1)
    deltas = partial(completion_deltas, top_logprobs=top_logprobs)
    suffix = body.text("suffix")
    if not suffix:
        return Question("/completion", {**wanted, "prompt": body.text("prompt")}, deltas, sampling.context_tokens)
    if "insert" not in manifest.capabilities:
        raise Refusal(f"{ModelName.parse(manifest.name).full} does not support insert")
    gap = {"input_prefix": body.text("prompt"), "input_suffix": suffix}
    return Question("/infill", {**wanted, **gap}, deltas, sampling.context_tokens)


def _top_logprobs(body: Body) -> int:
    top_logprobs = body.integer("top_logprobs")
    if not 0 <= top_logprobs <= 20:
        raise Refusal("top_logprobs must be between 0 and 20")
    return top_logprobs


def _template_words(think: bool | str | None) -> dict[str, Any]:
    """Return the variables by which templates are told whether and how hard to think."""
    if isinstance(think, str):
        return {"enable_thinking": True, "reasoning_effort": think}
    return {} if think is None else {"enable_thinking": think}


def _with_own_messages(messages: Sequence[dict[str, Any]], manifest: Manifest) -> list[dict[str, Any]]:
    can_see = "vision" in manifest.capabilities
    found = [_message(message, can_see=can_see) for message in (*manifest.messages, *messages)]
    if manifest.system and found[0]["role"] != "system":
        found.insert(0, {"role": "system", "content": manifest.system})
    return found


def _message(message: dict[str, Any], *, can_see: bool) -> dict[str, Any]:
    fields = Body(message)
    content = fields.text("content")
    translated: dict[str, Any] = {"role": fields.text("role").lower(), "content": content}
    if images := fields.array("images"):
        translated["content"] = _parts(content, images, can_see=can_see)
    if calls := fields.objects("tool_calls"):
        translated["tool_calls"] = [_tool_call(Body(call), index) for index, call in enumerate(calls)]
    for name, llama_name in (
        ("thinking", "reasoning_content"),
        ("tool_call_id", "tool_call_id"),
        ("tool_name", "name"),
    ):
        if text := fields.text(name):
            translated[llama_name] = text
    return translated


def _tool_call(call: Body, index: int) -> dict[str, Any]:
    function = Body(call.mapping("function"))
    arguments = orjson.dumps(function.mapping("arguments")).decode()
    return {
        "id": call.text("id") or f"call_{index}",
        "type": "function",
        "function": {"name": function.text("name"), "arguments": arguments},
    }


def _parts(text: str, images: list[Any], *, can_see: bool) -> list[dict[str, Any]]:
    urls = [f"data:image/{_checked_kind(image, index)};base64,{image}" for index, image in enumerate(images)]
    if not can_see:
        raise Refusal(orjson.dumps(_NO_IMAGES).decode())
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [*pictures, {"type": "text", "text": text}]


def _checked_kind(image: object, index: int) -> str:
    try:
        base64.b64decode(image if isinstance(image, str) else "?", validate=True)
    except binascii.Error as error:
        message = f"json: cannot unmarshal string into images.{index} of type api.ImageData: illegal base64 data"
        raise Refusal(message) from error
    return _IMAGE_KINDS.get(str(image)[:5], "jpeg")


def _think(wanted: object) -> bool | str | None:
    if wanted is None or isinstance(wanted, bool):
        return wanted
    if isinstance(wanted, str) and wanted in _EFFORTS:
        return wanted
    shown = orjson.dumps(wanted).decode()
    raise Refusal(f'invalid think value: {shown} (must be "high", "medium", "low", "max", true, or false)')


def _response_format(wanted: object) -> dict[str, Any] | None:
    if wanted is None or wanted == "":
        return None
    if wanted == "json":
        return {"type": "json_object"}
    if isinstance(wanted, dict):
        return {"type": "json_schema", "json_schema": {"schema": wanted}}
    shown = orjson.dumps(orjson.dumps(wanted).decode()).decode()
    message = f'invalid format: {shown}; expected "json" or a valid JSON Schema object'
    raise Refusal(message, HTTPStatus.INTERNAL_SERVER_ERROR)
