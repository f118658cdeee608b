"""A recorded call to take away: as JSON, and as the code that makes it again."""

import pprint
import shlex
from dataclasses import dataclass
from typing import Any

import orjson

from premrunner.records import Trace
from premrunner.web.pages.markdown import highlight
from premrunner.web.wire.recorded_call import body_of, wire_of

# A picture's data is of no use to read; the API gives the whole.
LONGEST_TEXT = 4_000
LONGEST_SHOWN = 40_000

CURL = """\
curl {address}/v1{path} \\
  -H "Authorization: Bearer $PREMRUNNER_TOKEN" \\
  -H "Content-Type: application/json" \\
  -d {body}
"""
PYTHON = """\
import os

import requests

body = {body}
answer = requests.post(
    "{address}/v1{path}",
    json=body,
    headers={{"Authorization": f"Bearer {{os.environ['PREMRUNNER_TOKEN']}}"}},
    timeout=600,
)
print(answer.text)
"""
JAVASCRIPT = """\
const body = {body};
const answer = await fetch("{address}/v1{path}", {{
  method: "POST",
  headers: {{ Authorization: `Bearer ${{process.env.PREMRUNNER_TOKEN}}`, "Content-Type": "application/json" }},
  body: JSON.stringify(body),
}});
console.log(await answer.text());
"""


@dataclass(frozen=True)
class Code:
    """Something to read and to copy.

    Attributes:
        id: Of its element.
        title: What it is.
        html: In colours.
    """

    id: str
    title: str
    html: str


def raw_request(trace: Trace) -> Code:
    """Return the request as its caller sent it."""
    return Code("raw-request", "Request", _json_html(body_of(trace)))


def raw_response(trace: Trace) -> Code:
    """Return the answer with all that is known of it, in OpenAI's names."""
    message = {"role": "assistant", "content": trace.output}
    if trace.thinking:
        message["reasoning_content"] = trace.thinking
    calls = {"tool_calls": orjson.loads(trace.tool_calls)} if trace.tool_calls else {}
    usage = {name: getattr(trace, name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    answer = {
        "id": trace.id,
        "model": trace.model,
        "choices": [{"index": 0, "message": {**message, **calls}, "finish_reason": trace.finish_reason}],
        "usage": usage,
    }
    return Code("raw-response", "Response", _json_html(answer if trace.status != "error" else {"error": trace.error}))


def samples_of(trace: Trace, address: str) -> list[Code]:
    """Return code that makes the same call."""
    body, path = body_of(trace), wire_of(trace)
    written = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    if len(written) > LONGEST_SHOWN:
        return []
    pythonic = pprint.pformat(body, width=100, sort_dicts=False)
    curl = CURL.format(address=address, path=path, body=shlex.quote(written))
    python = PYTHON.format(address=address, path=path, body=pythonic)
    javascript = JAVASCRIPT.format(address=address, path=path, body=written)
    return [
        Code("as-curl", "curl", highlight(curl, "bash")),
        Code("as-python", "Python", highlight(python, "python")),
        Code("as-javascript", "JavaScript", highlight(javascript, "javascript")),
    ]


def _json_html(value: Any) -> str:
    written = orjson.dumps(_shortened(value), option=orjson.OPT_INDENT_2).decode()
    if len(written) > LONGEST_SHOWN:
        written = written[:LONGEST_SHOWN] + "\n… and more; GET /v1/traces gives the whole."
    return highlight(written, "json")


def _shortened(value: Any) -> Any:
    """Cut what nobody reads: the data of pictures, and texts of many pages."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:200]}… ({len(value):,} characters)"
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in value.items()}
    return [_shortened(inner) for inner in value] if isinstance(value, list) else value
