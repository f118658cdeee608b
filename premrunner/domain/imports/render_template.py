"""Render a chat template that was not written by us: read from standard input, in a process that can be ended."""

import json
import resource
import sys

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

_CONVERSATION = [
    {"role": "user", "content": "Hello!"},
    {"role": "assistant", "content": "Hi, how can I help?"},
    {"role": "user", "content": "What is the capital of France?"},
]
_MEMORY_BYTES = 1024 * 1024 * 1024
_SECONDS = 5


def main() -> None:
    """Write the rendered conversation as a JSON string."""
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: form
    try:
        template = environment.from_string(sys.stdin.read())
        text = template.render(messages=_CONVERSATION, add_generation_prompt=True, bos_token="", eos_token="")
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        text = f"(The template cannot be rendered: {error})"
    sys.stdout.write(json.dumps(text))


def _refuse(message: str) -> None:
    raise TemplateError(message)


if __name__ == "__main__":
    main()
