"""A recorded call as a conversation to read.

The input is shown as its caller sent it, which may be in any of the shapes that OpenAI's API allows; a part that is
none of them is shown as JSON.
"""

import base64
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count, islice
from typing import Any

import orjson

from premrunner.errors import PictureNotFound
from premrunner.records import Trace
from premrunner.web.pages.markdown import render

# Longer texts are folded: a page of one prompt's documents hides the answer.
LONGEST_UNFOLDED = 4_000
# The kinds that a browser draws without running anything.
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=]+")


@dataclass(frozen=True)
class Turn:
    """What one side said.

    Attributes:
        role: ``system``, ``user``, ``assistant``, ``tool``, or whatever the caller wrote.
        html: The text, safe to show: an answer as Markdown, the rest as it was written.
        is_long: Whether it is to be folded.
        thinking: The reasoning before it.
        pictures: Numbers of its pictures among those of the call.
        calls: Name and arguments of each tool call.
    """

    role: str
    html: str
    is_long: bool = False
    thinking: str = ""
    pictures: list[int] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)


def turns_of(trace: Trace) -> list[Turn]:
    """Return the conversation up to and with the answer; without it if there was none."""
    numbers = count()
    turns = [_turn(message, numbers) for message in _sent(trace)]
    calls = _calls(orjson.loads(trace.tool_calls)) if trace.tool_calls else []
    if trace.output or trace.thinking or calls:
        turns.append(Turn("assistant", render(trace.output), thinking=trace.thinking, calls=calls))
    return turns


def picture_of(trace: Trace, number: int) -> tuple[bytes, str]:
    """Return the bytes of a picture that a call carried, and their media type.

    Raises:
        PictureNotFound: There is none of that number, or it is broken.
    """
    pictures = chain.from_iterable(
        _content(message.get("content"))[1] for message in _sent(trace) if isinstance(message, dict)
    )
    url = next(islice(pictures, number, None), "")
    media_type, _, data = url.removeprefix("data:").partition(";base64,")
    try:
        picture = base64.b64decode(data)
    except ValueError as error:
        raise PictureNotFound from error
    if not picture:
        raise PictureNotFound
    return picture, media_type


def _sent(trace: Trace) -> list[Any]:
    sent = orjson.loads(trace.input)
    return sent if isinstance(sent, list) else [sent]


def _turn(message: Any, numbers: Iterator[int]) -> Turn:
    if not isinstance(message, dict):
        text = message if isinstance(message, str) else _json(message)
        return Turn("user", _plain(text), is_long=len(text) > LONGEST_UNFOLDED)
    role = str(message.get("role", "user"))
    text, pictures = _content(message.get("content"))
    return Turn(
        role=role,
        html=render(text) if role == "assistant" else _plain(text),
        is_long=len(text) > LONGEST_UNFOLDED,
        thinking=str(message.get("reasoning_content") or ""),
        pictures=[next(numbers) for _ in pictures],
        calls=_calls(message.get("tool_calls")),
    )


def _content(content: Any) -> tuple[str, list[str]]:
    """Return the texts of a message, and its pictures as data URLs."""
    if content is None or isinstance(content, str):
        return content or "", []
    texts, pictures = [], []
    for part in content if isinstance(content, list) else [content]:
        picture = _picture(part)
        if picture:
            pictures.append(picture)
        else:
            is_text = isinstance(part, dict) and isinstance(part.get("text"), str)
            texts.append(part["text"] if is_text else _json(part))
    return "\n".join(texts), pictures


def _picture(part: Any) -> str:
    image = part.get("image_url") if isinstance(part, dict) else None
    url = image.get("url") if isinstance(image, dict) else image
    return url if isinstance(url, str) and PICTURE.fullmatch(url) else ""


def _calls(calls: Any) -> list[tuple[str, str]]:
    functions = [call.get("function") for call in calls or () if isinstance(call, Mapping)]
    return [_call(function) for function in functions if isinstance(function, Mapping)]


def _call(function: Mapping[str, Any]) -> tuple[str, str]:
    arguments = function.get("arguments") or {}
    return str(function.get("name", "")), arguments if isinstance(arguments, str) else _json(arguments)


def _plain(text: str) -> str:
    return f'<p class="as-written">{html.escape(text)}</p>' if text else ""


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
