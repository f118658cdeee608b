"""Do the tensors fit what config.json says?

Asked before anything is written, because llama.cpp would only find out when it loads the file.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from premrunner.weights.architectures.family import Family
from premrunner.weights.config import Config
from premrunner.weights.errors import ShardsIncomplete, WeightsInvalid

_BLOCK = re.compile(r"blk\.(\d+)\.(.+)\.(?:weight|bias)")


class Shaped(Protocol):
    """A tensor with its GGUF name and its shape, outermost first."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102


def check_shapes(tensors: Sequence[Shaped], family: Family, config: Config) -> None:
    """Check that every layer is complete and every matrix has the size that the config promises.

    Raises:
        ShardsIncomplete: A tensor is missing.
        WeightsInvalid: One has another shape.
    """
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    _check_presence(shapes, family, config)
    expected = _expected_shapes(family, config)
    for name, shape in shapes.items():
        match = _BLOCK.fullmatch(name)
        kind = match[2] if match else name.removesuffix(".weight")
        wanted = expected.get(kind) if name.endswith(".weight") else None
        if wanted and shape != wanted:
            raise WeightsInvalid(
                f"{name} has the shape {_written(shape)} where config.json promises {_written(wanted)}.",
                file_name="config.json",
            )
        if len(shape) > 3 or 0 in shape:
            raise WeightsInvalid(f"{name} has the shape {_written(shape)}, which GGUF cannot hold.")


def _check_presence(shapes: Mapping[str, Sequence[int]], family: Family, config: Config) -> None:
    kinds: dict[int, set[str]] = {layer: set() for layer in range(config.layer_count)}
    for name in shapes:
        if match := _BLOCK.fullmatch(name):
            kinds[int(match[1])].add(match[2])
    missing = [
        f"blk.{layer}.{required}"
        for layer in kinds
        for required in family.required
        if not kinds[layer].intersection(required.split("|"))
    ]
    missing += [name for name in ("token_embd.weight", "output_norm.weight") if name not in shapes]
    if family.has_output and not config.is_tied and "output.weight" not in shapes:
        missing.append("output.weight")
    if missing:
        raise ShardsIncomplete(
            f"The weights lack {len(missing)} tensors that {family.names[0]} with {config.layer_count} layers must "
            f"have: {', '.join(missing[:5])}. Is a shard missing, or was it saved before training ended?",
            missing=missing,
        )


def _expected_shapes(family: Family, config: Config) -> dict[str, tuple[int, ...]]:
    width, head_width = config.width, config.head_width
    queries = config.head_count * head_width
    keys = config.key_value_head_count * head_width
    inner = config.find_integer("feed_forward", "intermediate_size", "n_inner") or 4 * width
    fused_inner = 2 * inner if family.architecture == "phi3" else inner
    tokens = config.find_integer("vocab_size")
    shapes: dict[str, tuple[int, ...]] = {
        "attn_q": (queries, width),
        "attn_k": (keys, width),
        "attn_v": (keys, width),
        "attn_qkv": (queries + 2 * keys, width),
        "attn_output": (width, queries),
        "ffn_gate": (inner, width),
        "ffn_up": (fused_inner, width),
        "ffn_down": (width, inner),
        **dict.fromkeys(("attn_norm", "ffn_norm", "post_attention_norm", "post_ffw_norm", "output_norm"), (width,)),
    }
    if tokens and not family.trims_vocabulary:
        shapes |= {"token_embd": (tokens, width), "output": (tokens, width)}
    return shapes | _expert_shapes(config, width, inner)


def _expert_shapes(config: Config, width: int, inner: int) -> dict[str, tuple[int, ...]]:
    count = config.find_integer("num_local_experts", "num_experts")
    if not count:
        return {}
    expert_inner = config.find_integer("moe_intermediate_size") or inner
    shared_inner = config.find_integer("shared_expert_intermediate_size") or inner
    return {
        "ffn_gate_inp": (count, width),
        "ffn_gate_exps": (count, expert_inner, width),
        "ffn_up_exps": (count, expert_inner, width),
        "ffn_down_exps": (count, width, expert_inner),
        "ffn_gate_shexp": (shared_inner, width),
        "ffn_up_shexp": (shared_inner, width),
        "ffn_down_shexp": (width, shared_inner),
    }


def _written(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a single value"
