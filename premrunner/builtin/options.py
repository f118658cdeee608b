"""Ollama's ``options``: their types, their defaults, and their names in llama.cpp (``api/types.go:991``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

from premrunner.builtin.refusals import Refusal


class Option(NamedTuple):
    """One option.

    Attributes:
        kind: Ollama's word for its type, as its error message has it.
        llama_name: The same thing in llama.cpp's requests; None is checked and otherwise ignored.
        default: What Ollama uses when nobody says; None leaves it to llama.cpp.
    """

    kind: str
    llama_name: str | None = None
    default: float | int | None = None


OPTIONS: Mapping[str, Option] = {
    "num_predict": Option("integer", "n_predict", -1),
    "num_keep": Option("integer", "n_keep", 4),
    "seed": Option("integer", "seed", -1),
    "temperature": Option("float32", "temperature", 0.8),
    "top_k": Option("integer", "top_k", 40),
    "top_p": Option("float32", "top_p", 0.9),
    "min_p": Option("float32", "min_p", 0.0),
    "typical_p": Option("float32", "typical_p", 1.0),
    "repeat_last_n": Option("integer", "repeat_last_n", 64),
    "repeat_penalty": Option("float32", "repeat_penalty", 1.0),
    "presence_penalty": Option("float32", "presence_penalty", 0.0),
    "frequency_penalty": Option("float32", "frequency_penalty", 0.0),
    "mirostat": Option("integer", "mirostat"),
    "mirostat_tau": Option("float32", "mirostat_tau"),
    "mirostat_eta": Option("float32", "mirostat_eta"),
    "stop": Option("array", "stop"),
    "num_ctx": Option("integer"),  # Decides how the model is loaded, not how it samples.
    # Matters of the machine, which this engine decides by itself, and options that llama.cpp has dropped.
    "num_batch": Option("integer"),
    "num_gpu": Option("integer"),
    "main_gpu": Option("integer"),
    "num_thread": Option("integer"),
    "use_mmap": Option("boolean"),
    "use_mlock": Option("boolean"),
    "numa": Option("boolean"),
    "low_vram": Option("boolean"),
    "vocab_only": Option("boolean"),
    "penalize_newline": Option("boolean"),
    "tfs_z": Option("float32"),
    "draft_num_predict": Option("integer"),
}

# Below this the prompt's own frame would not fit; Ollama refuses nothing here, and raises it likewise.
_LEAST_CONTEXT_TOKENS = 4


@dataclass(frozen=True)
class Sampling:
    """Checked options of one request.

    Attributes:
        context_tokens: The context asked for; None leaves it to the engine.
        fields: What goes into llama.cpp's request.
    """

    context_tokens: int | None
    fields: dict[str, Any]


def read_options(*layers: Mapping[str, object]) -> Sampling:
    """Check options and translate them.

    Args:
        layers: The model's ``parameters``, then the request's ``options``; later ones win.

    Raises:
        Refusal: 500, as in Ollama, when a value has the wrong type.
    """
    values: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            if (option := OPTIONS.get(name)) and value is not None:  # Ollama ignores unknown ones, with a log line.
                values[name] = _checked(name, option.kind, value)
    fields = {
        option.llama_name: values.get(name, option.default)
        for name, option in OPTIONS.items()
        if option.llama_name and (name in values or option.default is not None)
    }
    context_tokens = values.get("num_ctx")
    return Sampling(max(context_tokens, _LEAST_CONTEXT_TOKENS) if context_tokens else None, fields)


def _checked(name: str, kind: str, value: object) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "float32" and is_number:
        return value
    if kind == "integer" and is_number:
        return int(value)  # type: ignore[call-overload]  # Ollama cuts the fraction off as well.
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "array" and isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return value
        raise Refusal(f'option "{name}" must be of an array of strings', HTTPStatus.INTERNAL_SERVER_ERROR)
    raise Refusal(f'option "{name}" must be of type {kind}', HTTPStatus.INTERNAL_SERVER_ERROR)
