"""What ``/api/tags`` and ``/api/show`` tell of a model, read from its GGUF."""

from typing import Any

from premrunner.builtin.templates import takes_tools, thinks
from premrunner.weights.gguf_header import GgufArray, GgufHeader, Value

_INSERT_TOKENS = (
    ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"),
    ("tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"),
    ("tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"),
)


def details(header: GgufHeader, parent_model: str = "") -> dict[str, Any]:
    """Return the ``details`` object of a model."""
    return {
        "parent_model": parent_model,
        "format": "gguf",
        "family": header.architecture,
        "families": [header.architecture],
        "parameter_size": human_number(header.parameter_count),
        "quantization_level": header.quantization,
        "context_length": header.number(".context_length"),
        "embedding_length": header.number(".embedding_length"),
    }


def capabilities(header: GgufHeader, template: str, *, has_projector: bool) -> list[str]:
    """Return what a model can do.

    Args:
        header: Of its GGUF.
        template: The chat template in force, "" if there is none.
        has_projector: Whether images can be given to it.
    """
    if f"{header.architecture}.pooling_type" in header.metadata:
        return ["embedding"]
    found = ["completion"]
    if takes_tools(template):
        found.append("tools")
    if all(any(key in header.metadata for key in pair) for pair in _INSERT_TOKENS):
        found.append("insert")
    if has_projector:
        found.append("vision")
    if thinks(template):
        found.append("thinking")
    return found


def model_info(header: GgufHeader) -> dict[str, Any]:
    """Return the metadata as ``/api/show`` has it: arrays that were not kept are null."""
    shown = {key: _shown(value) for key, value in header.metadata.items() if key != "tokenizer.chat_template"}
    return {**shown, "general.parameter_count": header.parameter_count}


def tensors(header: GgufHeader) -> list[dict[str, Any]]:
    """Return the ``tensors`` list of ``/api/show``."""
    return [{"name": tensor.name, "type": tensor.type_name, "shape": list(tensor.shape)} for tensor in header.tensors]


def human_number(number: int) -> str:
    """Return a number of parameters as people write it, such as ``134.52M`` (``format/format.go``)."""
    for unit, size, digits in (("B", 1_000_000_000, 1), ("M", 1_000_000, 2), ("K", 1_000, 0)):
        if number >= size:
            return f"{number / size:.{0 if number % size == 0 else digits}f}{unit}"
    return str(number)


def _shown(value: Value) -> Any:
    if isinstance(value, GgufArray):
        return None if value.values is None else list(value.values)
    return value
