"""Phi-3, Phi-3.5-mini and Phi-4-mini: fused q, k and v, and two sets of rotary factors for long texts."""

import math

import numpy as np
from gguf import MODEL_ARCH, GGUFValueType, Keys

from premrunner.weights.architectures.family import Family
from premrunner.weights.architectures.standard import (
    CONTEXT_LENGTH,
    FEED_FORWARD,
    FLOAT,
    HEADS,
    KEY_VALUE_HEADS,
    RMS_EPSILON,
    WIDTH,
    same_heads,
)
from premrunner.weights.config import Config, rope_number
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.metadata import Entry
from premrunner.weights.values import Float32


def _rotary_width(config: Config) -> int:
    return int(rope_number(config.rope, "partial_rotary_factor", 1.0) * config.width) // config.head_count


def _rope_entries(config: Config) -> list[Entry]:
    rope = config.rope
    original = config.integer("original_max_position_embeddings")
    entries = [
        Entry(Keys.Rope.SCALING_ORIG_CTX_LEN, GGUFValueType.UINT32, original),
        Entry(Keys.Rope.DIMENSION_COUNT, GGUFValueType.UINT32, _rotary_width(config)),
        Entry(Keys.Rope.FREQ_BASE, FLOAT, rope_number(rope, "rope_theta", 10000.0)),
        # Zero tells llama.cpp that this is Phi-4, which has none.
        Entry(Keys.Attention.SLIDING_WINDOW, GGUFValueType.UINT32, config.find_integer("sliding_window") or 0),
    ]
    if rope.get("long_factor"):
        entries.append(Entry(Keys.Rope.SCALING_ATTN_FACTOR, FLOAT, _attention_factor(config, original)))
    return entries


def _attention_factor(config: Config, original: int) -> float:
    """Give how much attention is sharpened to make up for the stretch (``Phi3MiniModel`` in conversion/phi.py)."""
    stretch = config.integer("max_position_embeddings") / original
    if stretch <= 1:
        return 1.0
    if config.rope["rope_type"] == "yarn":
        return 0.1 * math.log(stretch) + 1.0
    return math.sqrt(1 + math.log(stretch) / math.log(original)) if original > 1 else 1.0


def _rope_factors(config: Config) -> dict[str, Float32]:
    rope = config.rope
    factors = {kind: rope.get(f"{kind}_factor") for kind in ("long", "short")}
    if not factors["long"]:
        return {}
    for kind, numbers in factors.items():
        wanted = _rotary_width(config) // 2
        if not isinstance(numbers, list) or len(numbers) != wanted or not all(type(n) in (int, float) for n in numbers):
            raise WeightsInvalid(
                f"config.json: rope_scaling.{kind}_factor must be {wanted} numbers.", file_name="config.json"
            )
    return {f"rope_factors_{kind}.weight": np.array(numbers, np.float32) for kind, numbers in factors.items()}


PHI3 = Family(
    names=("Phi3ForCausalLM",),
    model=MODEL_ARCH.PHI3,
    fields=(CONTEXT_LENGTH, WIDTH, FEED_FORWARD, HEADS, KEY_VALUE_HEADS, RMS_EPSILON),
    required=("attn_norm", "attn_qkv", "attn_output", "ffn_norm", "ffn_up", "ffn_down"),
    defaults={
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": 4096,
        "original_max_position_embeddings": 4096,
    },
    derive=same_heads,
    more=_rope_entries,
    constants=_rope_factors,
    vocabularies=("sentencepiece", "byte_level", "byte_fallback"),
)
