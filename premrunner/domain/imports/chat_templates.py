"""Chat templates: what a model's own says, and what an engine without Jinja is given in its place."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

# A template of a stranger is a program; one that renders two messages needs a tenth of a second.
RENDER_SECONDS = 10.0
LONGEST_RENDERED = 4000

Stopping = Callable[[Callable[[], None]], AbstractContextManager[None]]

# Text that belongs to the frame of a chat and to no answer.
TEMPLATE_TOKEN = re.compile(
    r"<\|[a-z_0-9]{2,30}\|>|</?(?:start|end)_of_turn>|<end_of_turn>|\[/?INST\]|<</?SYS>>|</?s>|<\|im_(?:start|end)\|>"
)
_GO_ACTION = re.compile(r"\{\{-?\s*(?:(?:if|range|with)\b[^}]*)?[.$]")


@dataclass(frozen=True)
class KnownTemplate:
    """A way of framing chats that many models share.

    Attributes:
        marks: What a Jinja template of this kind holds.
        go: The same in the language of Ollama before 0.30 (``template/`` in its source).
        stops: Texts at which an answer ends.
    """

    name: str
    marks: tuple[str, ...]
    go: str
    stops: tuple[str, ...]


KNOWN = (
    KnownTemplate(
        "chatml",
        ("<|im_start|>", "<|im_end|>"),
        "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n",
        ("<|im_start|>", "<|im_end|>"),
    ),
    KnownTemplate(
        "llama3",
        ("<|start_header_id|>", "<|eot_id|>"),
        "{{- range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>\n\n{{ .Content }}<|eot_id|>{{ end }}"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    ),
    KnownTemplate(
        "gemma",
        ("<start_of_turn>", "<end_of_turn>"),
        '{{- range .Messages }}<start_of_turn>{{ if eq .Role "assistant" }}model{{ else }}user{{ end }}\n'
        "{{ .Content }}<end_of_turn>\n{{ end }}<start_of_turn>model\n",
        ("<end_of_turn>", "<start_of_turn>"),
    ),
    KnownTemplate(
        "phi3",
        ("<|user|>", "<|end|>"),
        "{{- range .Messages }}<|{{ .Role }}|>\n{{ .Content }}<|end|>\n{{ end }}<|assistant|>\n",
        ("<|end|>", "<|user|>", "<|assistant|>"),
    ),
    KnownTemplate(
        "zephyr",
        ("<|user|>", "<|assistant|>"),
        "{{- range .Messages }}<|{{ .Role }}|>\n{{ .Content }}</s>\n{{ end }}<|assistant|>\n",
        ("<|system|>", "<|user|>", "<|assistant|>", "</s>"),
    ),
    KnownTemplate(
        "mistral",
        ("[INST]", "[/INST]"),
        '{{- range .Messages }}{{ if eq .Role "assistant" }} {{ .Content }}</s>{{ else }}[INST] {{ .Content }} [/INST]'
        "{{ end }}{{ end }}",
        ("[INST]", "[/INST]"),
    ),
    KnownTemplate(
        "alpaca",
        ("### Instruction:", "### Response:"),
        '{{- range .Messages }}{{ if eq .Role "assistant" }}### Response:\n{{ .Content }}\n\n{{ else }}'
        "### Instruction:\n{{ .Content }}\n\n{{ end }}{{ end }}### Response:\n",
        ("### Instruction:", "### Response:"),
    ),
)


def known_template(template: str) -> KnownTemplate | None:
    """Return the kind that a Jinja template is of; None when it is of no known one."""
    return next((known for known in KNOWN if all(mark in template for mark in known.marks)), None)


def is_go_template(template: str) -> bool:
    """Tell whether a template is written in Ollama's own language."""
    return "{%" not in template and bool(_GO_ACTION.search(template))


def rendered_prompt(template: str, stopping: Stopping = lambda _: nullcontext()) -> str:
    """Return what a short conversation becomes, or why it cannot be told.

    The template is run in a process of its own, with limits of time and memory.

    Args:
        template: Of a stranger.
        stopping: Given the call that ends the process, for the time that it runs.
    """
    command = [sys.executable, "-m", "premrunner.domain.imports.render_template"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            with stopping(process.kill):
                answer, _ = process.communicate(template.encode(), timeout=RENDER_SECONDS)
            return str(json.loads(answer))[:LONGEST_RENDERED]
        except (subprocess.TimeoutExpired, ValueError):
            return "(The template could not be rendered within its limits.)"
        finally:
            process.kill()
