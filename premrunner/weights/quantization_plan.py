"""Which type each tensor gets: llama.cpp's choice, tensor by tensor.

Sources: ``ModelBase.prepare_tensors`` (conversion/base.py) for what stays float32, and ``llama_tensor_get_type``
(src/llama-quant.cpp) for the mixtures.
"""

import re
from collections.abc import Mapping, Sequence

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from premrunner.weights.output_type import Kind, OutputType
from premrunner.weights.shape_check import Shaped

_BLOCK = re.compile(r"blk\.(\d+)\.")
_ALWAYS_FLOAT32 = ("ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight")

# What llama.cpp takes instead where a row's length is no multiple of 256.
NARROW = {Kind.Q4_K: Kind.Q5_0, Kind.Q5_K: Kind.Q5_1, Kind.Q6_K: Kind.Q8_0}


def plan_types(
    tensors: Sequence[Shaped], output: OutputType, *, layer_count: int, expert_count: int, is_70b: bool
) -> dict[str, GGMLQuantizationType]:
    """Choose a type for each tensor.

    Args:
        tensors: All tensors of the file, under their GGUF names.
        output: What was asked for.
        layer_count: Number of blocks.
        expert_count: Number of experts; 0 for a dense model.
        is_70b: Whether eight query heads share a key head in an 80-layer model.
    """
    kinds = {tensor.name: Kind.F32 if _stays_float32(tensor) else output.kind for tensor in tensors}
    if output.is_quantized:
        mixture = _Mixture(output, tensors, layer_count, expert_count, is_70b)
        # The mixtures count tensors as they come, and llama.cpp has them by layer and name.
        for tensor in sorted(tensors, key=lambda tensor: (_layer(tensor.name), tensor.name)):
            if kinds[tensor.name] != Kind.F32:
                kinds[tensor.name] = _fitting(mixture.choose(tensor.name, tensor.shape[-1]), tensor.shape[-1])
    return kinds


def is_70b(architecture: str, layer_count: int, config_values: Mapping[str, int]) -> bool:
    """Say whether llama.cpp takes the model for a 70B one, whose attention values it stores more finely."""
    if layer_count != 80:
        return False
    grouped = config_values["head_count"] != config_values["head_count_kv"]
    return architecture == "qwen2" or (architecture == "llama" and grouped)


def _stays_float32(tensor: Shaped) -> bool:
    name = tensor.name
    return (
        len(tensor.shape) <= 1
        or not name.endswith(".weight")
        or name.endswith(("_norm.weight", *_ALWAYS_FLOAT32))
        or name == "position_embd.weight"
    )


def _layer(name: str) -> int:
    match = _BLOCK.match(name)
    return int(match[1]) if match else -1


def _fitting(kind: GGMLQuantizationType, row_length: int) -> GGMLQuantizationType:
    """Replace a type whose blocks do not divide a row."""
    if row_length % GGML_QUANT_SIZES[kind][0] == 0:
        return kind
    narrow = NARROW.get(kind, kind)
    return narrow if row_length % GGML_QUANT_SIZES[narrow][0] == 0 else Kind.F16


class _Mixture:
    """The choice before lengths are looked at; it counts as it goes along (``llama_tensor_get_type_impl``)."""

    def __init__(
        self, output: OutputType, tensors: Sequence[Shaped], layer_count: int, expert_count: int, is_70b: bool
    ) -> None:
        names = [tensor.name for tensor in tensors]
        self._output = output
        self._layer_count = layer_count
        self._expert_count = expert_count
        self._is_70b = is_70b
        self._is_tied = "output.weight" not in names
        self._value_total = sum(_is_value(name) for name in names)
        self._values_seen = 0
        self._downs_seen = 0

    def choose(self, name: str, row_length: int) -> GGMLQuantizationType:
        kind = self._output.kind
        if name == "output.weight" or (self._is_tied and name == "token_embd.weight"):
            if row_length % GGML_QUANT_SIZES[kind][0]:
                return Kind.Q8_0
            return Kind.Q8_0 if kind == Kind.Q8_0 else Kind.Q6_K
        if name == "token_embd.weight":
            return kind
        if _is_value(name):
            return self._choose_value()
        if "attn_k.weight" in name:
            return Kind.Q8_0 if self._expert_count == 8 else kind
        if "attn_output.weight" in name:
            return Kind.Q5_K if self._expert_count == 8 and self._output.name == "q4_k_m" else kind
        if "ffn_down" in name:
            return self._choose_down(name)
        return kind

    def _choose_value(self) -> GGMLQuantizationType:
        kind = self._output.kind
        if self._output.takes_more_bits and _wants_more_bits(self._values_seen, self._value_total):
            kind = Kind.Q6_K
        if self._is_70b and kind == Kind.Q4_K:
            kind = Kind.Q5_K
        self._values_seen += 1
        return Kind.Q8_0 if self._expert_count == 8 else kind

    def _choose_down(self, name: str) -> GGMLQuantizationType:
        # Experts come in any number a layer, so with them the layer is in the name; else they are counted.
        layer = _layer(name) if self._expert_count > 1 else self._downs_seen
        self._downs_seen += 1
        if self._output.takes_more_bits and _wants_more_bits(layer, self._layer_count):
            return Kind.Q6_K
        return self._output.kind


def _is_value(name: str) -> bool:
    return "attn_v.weight" in name or "attn_qkv.weight" in name


def _wants_more_bits(place: int, total: int) -> bool:
    """Say whether a layer is among the first, the last or every third between (``use_more_bits``)."""
    eighth = total // 8
    return place < eighth or place >= 7 * total // 8 or (place - eighth) % 3 == 2
