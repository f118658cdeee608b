"""What a conversation is set to, and the call that is made of it and its messages."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from premrunner.domain.chat import ChatCall
from premrunner.errors import InvalidRequest
from premrunner.records import ChatMessage, Conversation, Image
from premrunner.web import parsing
from premrunner.web.parsing import Parameter
from premrunner.web.services import services
from premrunner.web.wire import sampling
from premrunner.web.wire.openai_request import parse_chat

PENALTIES = tuple(
    parameter for parameter in sampling.PENALTIES if parameter.name in ("min_p", "repeat_penalty", "seed")
)
# The longest context that any model has been trained for is a tenth of that.
LONGEST_CONTEXT = 10_000_000

SETTINGS = (
    Parameter("system", parsing.any_text, meaning="Who the model is, and how it answers."),
    *sampling.NUCLEUS,
    *PENALTIES,
    sampling.MAX_TOKENS,
    sampling.STOP,
    Parameter("num_ctx", parsing.integer(16, LONGEST_CONTEXT), meaning="Tokens that the model can read at once."),
    Parameter("reasoning_effort", sampling.effort, meaning="How much a thinking model thinks."),
)


def read_settings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are kept: what was given, under OpenAI's names, each of it checked.

    Raises:
        InvalidRequest: One is wrong, or means nothing; it is named.
    """
    unknown = parsing.without_effect(SETTINGS, body)
    if unknown:
        raise InvalidRequest(f"There is no setting '{unknown[0]}'.", param=unknown[0])
    checked = parsing.fields(SETTINGS, body)
    return {name: body[name] for name, value in checked.items() if value not in ("", [])}


def chat_call(conversation: Conversation, path: Sequence[ChatMessage], model: str) -> ChatCall:
    """Return the call that answers the last message of a path, or goes on with it.

    Raises:
        InvalidRequest: The path has pictures, and the model cannot look at them.
    """
    images = services().conversations.images(path)
    if images:
        require_sight(model)
    settings = dict(conversation.settings)
    system, context = settings.pop("system", ""), settings.pop("num_ctx", None)
    said = [{"role": "system", "content": system}] if system else []
    messages = said + [_wire(message, images.get(message.id, ())) for message in path if _says_something(message)]
    body = {"model": model, "messages": messages, "stream": True, **settings}
    call, _ = parse_chat(body | ({"options": {"num_ctx": context}} if context else {}))
    return call


def require_sight(model: str) -> None:
    """Let models through that can look at pictures.

    Raises:
        InvalidRequest: This one cannot.
        ModelNotFound: There is none of that name.
    """
    found = services().catalog.resolve(model)
    if "vision" not in services().catalog.capabilities(found):
        raise InvalidRequest(
            f"'{found.name}' cannot look at pictures. Choose a model that can, or leave the pictures out.",
            param="model",
        )


def _says_something(message: ChatMessage) -> bool:
    return bool(message.content.strip() or message.image_ids)


def _wire(message: ChatMessage, images: Sequence[Image]) -> dict[str, Any]:
    if not images:
        return {"role": message.role, "content": message.content}
    pictures = [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in images]
    return {"role": message.role, "content": [{"type": "text", "text": message.content}, *pictures]}


def data_url(image: Image) -> str:
    """Return a picture as a URL that holds it."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
