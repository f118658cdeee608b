"""Calls as lines to learn from and as rows to look through.

Training data is what was asked and what should have been answered: a correction takes the place of the answer, and an
answer that was found bad and not corrected is left out. So are calls that are no conversation (embeddings), and those
that did not end well.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from premrunner.domain.trace_export import JudgedCall

Json = dict[str, Any]

COLUMNS = (
    *("id", "created_at", "model", "status", "endpoint", "key_name", "client", "prompt_tokens", "completion_tokens"),
    *("duration", "ttft_ms", "tokens_per_second", "finish_reason", "error", "input", "output", "thinking"),
)
JUDGEMENT = ("rating", "note", "correction")
# A spreadsheet takes what begins so for a formula, and runs it.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def openai_line(call: JudgedCall) -> Json | None:
    """Return a call as OpenAI's fine-tuning takes it: the conversation, the wanted answer last."""
    messages, answer = _messages(call), _wanted(call)
    if not messages or answer is None:
        return None
    tools = orjson.loads(call.trace.parameters).get("tools")
    return {"messages": [*messages, answer], **({"tools": tools} if tools else {})}


def alpaca_line(call: JudgedCall) -> Json | None:
    """Return a call in Alpaca's shape, what was said before the last question under ``history``."""
    messages, answer = _messages(call), _wanted(call)
    if not messages or answer is None or not answer.get("content"):
        return None
    system = "\n".join(_text(message) for message in messages if message["role"] in ("system", "developer"))
    talk = [message for message in messages if message["role"] in ("user", "assistant")]
    if not talk or talk[-1]["role"] != "user":
        return None
    line: Json = {"instruction": _text(talk[-1]), "input": "", "output": answer["content"]}
    if system:
        line["system"] = system
    if earlier := _pairs(talk[:-1]):
        line["history"] = earlier
    return line


def preference_line(call: JudgedCall) -> Json | None:
    """Return a corrected call as a pair: the correction chosen, what the model had said rejected."""
    messages = _messages(call)
    if not messages or not call.feedback.correction or not call.trace.output:
        return None
    return {
        "prompt": messages,
        "chosen": [{"role": "assistant", "content": call.feedback.correction}],
        "rejected": [{"role": "assistant", "content": call.trace.output}],
    }


def whole_line(call: JudgedCall) -> Json:
    """Return everything that is known of a call."""
    row = {name: getattr(call.trace, name) for name in COLUMNS}
    texts = {name: orjson.loads(getattr(call.trace, name)) for name in ("input", "parameters", "ignored")}
    calls = orjson.loads(call.trace.tool_calls) if call.trace.tool_calls else []
    judgement = {name: getattr(call.feedback, name) for name in JUDGEMENT}
    return {**row, **texts, "tool_calls": calls, **judgement}


def lines(calls: Iterable[JudgedCall], line: Callable[[JudgedCall], Mapping[str, Any] | None]) -> Iterator[bytes]:
    """Yield calls as JSON, one a line; those that a format has no line for are left out."""
    for call in calls:
        written = line(call)
        if written is not None:
            yield orjson.dumps(written, option=orjson.OPT_APPEND_NEWLINE)


def array(calls: Iterable[JudgedCall]) -> Iterator[bytes]:
    """Yield calls as one JSON array."""
    before = b"["
    for call in calls:
        yield before + orjson.dumps(whole_line(call))
        before = b",\n"
    yield b"]\n" if before != b"[" else b"[]\n"


def table(calls: Iterable[JudgedCall]) -> Iterator[bytes]:
    """Yield calls as CSV, with a head."""
    yield _row([*COLUMNS, *JUDGEMENT])
    for call in calls:
        told = [getattr(call.trace, name) for name in COLUMNS]
        yield _row([*told, *(getattr(call.feedback, name) for name in JUDGEMENT)])


FORMATS: Mapping[str, tuple[str, Callable[[Iterable[JudgedCall]], Iterator[bytes]]]] = {
    "openai": ("jsonl", lambda calls: lines(calls, openai_line)),
    "alpaca": ("jsonl", lambda calls: lines(calls, alpaca_line)),
    "preference": ("jsonl", lambda calls: lines(calls, preference_line)),
    "jsonl": ("jsonl", lambda calls: lines(calls, whole_line)),
    "json": ("json", array),
    "csv": ("csv", table),
}


def _messages(call: JudgedCall) -> list[Json]:
    """Return what was sent as OpenAI's messages; empty when it was no conversation."""
    if call.trace.status != "ok":
        return []
    sent, parameters = orjson.loads(call.trace.input), orjson.loads(call.trace.parameters)
    if call.trace.endpoint.endswith("/embeddings"):
        return []
    if isinstance(sent, str):
        sent = [{"role": "user", "content": sent}]
    # Anthropic's and the Responses' instructions stand beside the conversation.
    system = parameters.get("system") or parameters.get("instructions")
    first = [{"role": "system", "content": system}] if isinstance(system, str) and system else []
    is_talk = isinstance(sent, list) and sent and all(isinstance(one, dict) and "role" in one for one in sent)
    return [*first, *sent] if is_talk else []


def _wanted(call: JudgedCall) -> Json | None:
    """Return the answer as it should have been; None when nobody knows it."""
    if call.feedback.correction:
        return {"role": "assistant", "content": call.feedback.correction}
    if call.feedback.rating < 0 or not (call.trace.output or call.trace.tool_calls):
        return None
    answer: Json = {"role": "assistant", "content": call.trace.output}
    if call.trace.tool_calls:
        answer["tool_calls"] = [_tool_call(number, made) for number, made in enumerate(_made(call))]
    return answer


def _made(call: JudgedCall) -> list[Json]:
    return [made.get("function", {}) for made in orjson.loads(call.trace.tool_calls)]


def _tool_call(number: int, made: Json) -> Json:
    arguments = made.get("arguments") or {}
    written = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": made.get("name", ""), "arguments": written},
    }


def _text(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    return content if isinstance(content, str) else ""


def _pairs(talk: list[Json]) -> list[list[str]]:
    """Return earlier questions with their answers."""
    return [
        [_text(asked), _text(answered)]
        for asked, answered in zip(talk[::2], talk[1::2], strict=False)
        if (asked["role"], answered["role"]) == ("user", "assistant")
    ]


def _row(cells: list[Any]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerow([_cell(cell) for cell in cells])
    return written.getvalue().encode()


def _cell(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
