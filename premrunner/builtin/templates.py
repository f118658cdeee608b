"""Chat templates: what may be given at create, what a template's text says of the model, and Ollama's ChatML rule."""

import re

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from premrunner.builtin.refusals import Refusal

# Jinja's loop controls and Hugging Face's marker of the assistant's part, both known to llama.cpp.
_ENVIRONMENT = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"])
_GENERATION_MARKER = re.compile(r"\{%-?\s*(end)?generation\s*-?%\}")

_JINJA = re.compile(r"\{%|\{\{")
_GO_ACTION = re.compile(
    r"\{\{-?\s*(?:(?:if|range|with|else if|template|block|define|and|or|not|eq)\b[^}]*)?[.$]|\{\{-?\s*end\b"
)

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_DEFAULT_SYSTEM = re.compile(
    r"\{%ifloop\.firstandmessages\[0\]\['role'\]!='system'%\}\{\{'<\|im_start\|>system[^{}]*<\|im_end\|>'\}\}\{%endif%\}"
)
_THINKING = re.compile(r"<think>|enable_thinking|reasoning_content|<\|channel\|>analysis|<seed:think>|\bthinking\b")
_TOOLS = re.compile(r"\btools\b")


def check_template(text: str) -> None:
    """Refuse what is not a Jinja template.

    Raises:
        Refusal: A Go template, as real Ollama takes them; no template; or a syntax error.
    """
    if "{%" not in text and _GO_ACTION.search(text):
        raise Refusal("template error: this engine takes Jinja chat templates, not Go templates")
    if not _JINJA.search(text):
        raise Refusal("template error: a Jinja chat template is expected, and this text holds no {{ }} or {% %}")
    try:
        _ENVIRONMENT.parse(_GENERATION_MARKER.sub("", text))
    except TemplateError as error:
        raise Refusal(f"template error: {error}") from error


def takes_tools(template: str) -> bool:
    """Tell whether a template mentions tools."""
    return bool(_TOOLS.search(template))


def thinks(template: str) -> bool:
    """Tell whether a template knows of thinking."""
    return bool(_THINKING.search(template))


def is_chatml_with_default_system(template: str) -> bool:
    """Tell whether a template is plain ChatML but for a system message that it adds when the chat has none.

    Ollama gives such a model plain ChatML ("using autodetected template chatml"). So does this engine: a model shall
    answer the same in both, and SmolLM2-135M answers in French when its default system message is added.
    """
    squeezed, additions = _DEFAULT_SYSTEM.subn("", _squeeze(template))
    return additions == 1 and squeezed == _squeeze(CHATML)


def _squeeze(template: str) -> str:
    return re.sub(r"\\n|\s+", "", template)
