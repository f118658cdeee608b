"""What most families have in common: the usual hyperparameters, and scaling of the rotary embedding.

Source of names and keys: ``TextModel.set_gguf_parameters`` in llama.cpp's conversion/base.py.
"""

import math
from typing import Any

import numpy as np
from gguf import GGUFValueType, Keys, RopeScalingType

from premrunner.weights.architectures.family import Field
from premrunner.weights.config import Config, rope_number
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.metadata import Entry
from premrunner.weights.values import Float32

FLOAT = GGUFValueType.FLOAT32

CONTEXT_LENGTH = Field(
    Keys.LLM.CONTEXT_LENGTH,
    ("max_position_embeddings", "n_ctx", "n_positions", "max_length", "max_sequence_length", "model_max_length"),
)
WIDTH = Field(Keys.LLM.EMBEDDING_LENGTH, ("hidden_size", "n_embd", "dim"), is_required=True)
FEED_FORWARD = Field(Keys.LLM.FEED_FORWARD_LENGTH, ("intermediate_size", "n_inner", "hidden_dim"))
HEADS = Field(Keys.Attention.HEAD_COUNT, ("num_attention_heads", "n_head", "n_heads"), is_required=True)
KEY_VALUE_HEADS = Field(Keys.Attention.HEAD_COUNT_KV, ("num_key_value_heads", "n_kv_heads"))
KEY_LENGTH = Field(Keys.Attention.KEY_LENGTH, ("head_dim",))
VALUE_LENGTH = Field(Keys.Attention.VALUE_LENGTH, ("head_dim",))
RMS_EPSILON = Field(Keys.Attention.LAYERNORM_RMS_EPS, ("rms_norm_eps", "norm_eps"), FLOAT)
VOCABULARY_SIZE = Field(Keys.LLM.VOCAB_SIZE, ("vocab_size",), is_required=True)
SLIDING_WINDOW = Field(Keys.Attention.SLIDING_WINDOW, ("sliding_window",))

STANDARD_FIELDS = (
    CONTEXT_LENGTH,
    WIDTH,
    FEED_FORWARD,
    HEADS,
    KEY_VALUE_HEADS,
    RMS_EPSILON,
    Field(Keys.Attention.LAYERNORM_EPS, ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"), FLOAT),
    Field(Keys.LLM.EXPERT_COUNT, ("num_local_experts", "num_experts", "n_routed_experts")),
    Field(Keys.LLM.EXPERT_USED_COUNT, ("num_experts_per_tok", "num_experts_per_token", "top_k_experts")),
)
HEAD_LENGTH_FIELDS = (KEY_LENGTH, VALUE_LENGTH)

DENSE_LAYER = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
EXPERT_LAYER = (
    *DENSE_LAYER[:6],
    "ffn_gate_inp|ffn_gate",
    "ffn_gate_exps|ffn_gate",
    "ffn_up_exps|ffn_up",
    "ffn_down_exps|ffn_down",
)

_YARN_NUMBERS = (
    (Keys.Rope.SCALING_YARN_EXT_FACTOR, "extrapolation_factor"),
    (Keys.Rope.SCALING_YARN_ATTN_FACTOR, "attention_factor"),
    (Keys.Rope.SCALING_YARN_BETA_FAST, "beta_fast"),
    (Keys.Rope.SCALING_YARN_BETA_SLOW, "beta_slow"),
)


def same_heads(config: Config) -> dict[str, Any]:
    """Assume as many key-value heads as heads, as configs from before grouped attention do."""
    return {"num_key_value_heads": config.head_count}


def same_heads_and_head_width(config: Config) -> dict[str, Any]:
    """Assume the same, and heads that share the width evenly."""
    return same_heads(config) | {"head_dim": config.width // config.head_count}


def rope_entries(config: Config) -> list[Entry]:
    """Describe the rotary embedding: its base and how it is stretched to longer texts.

    Raises:
        WeightsInvalid: A way of stretching that nobody knows, or a number that cannot be.
    """
    rope = config.rope
    full = rope.get("full_attention", rope)
    entries = _scaling_entries(full)
    entries.append(Entry(Keys.Rope.FREQ_BASE, FLOAT, rope_number(full, "rope_theta", 10000.0)))
    if isinstance(sliding := rope.get("sliding_attention"), dict):
        entries.append(Entry(Keys.Rope.FREQ_BASE_SWA, FLOAT, rope_number(sliding, "rope_theta", 10000.0)))
    return entries


def _scaling_entries(rope: dict[str, Any]) -> list[Entry]:
    kind = str(rope.get("rope_type") or rope.get("type") or "default").lower()
    if kind in ("default", "none", "llama3", "dynamic") or (kind in ("linear", "yarn") and rope.get("factor") is None):
        return []  # llama3 becomes a tensor of factors; dynamic needs nothing until the context is exceeded.
    if kind in ("su", "longrope"):
        return [Entry(Keys.Rope.SCALING_TYPE, GGUFValueType.STRING, RopeScalingType.LONGROPE.value)]
    if kind not in ("linear", "yarn"):
        raise WeightsInvalid(
            f"config.json: the rotary scaling {kind[:40]!r} has no counterpart in GGUF.", file_name="config.json"
        )
    entries = [
        Entry(Keys.Rope.SCALING_TYPE, GGUFValueType.STRING, kind),
        Entry(Keys.Rope.SCALING_FACTOR, FLOAT, rope_number(rope, "factor", 1.0)),
    ]
    if kind == "yarn":
        original = int(rope_number(rope, "original_max_position_embeddings", 0))
        entries.append(Entry(Keys.Rope.SCALING_ORIG_CTX_LEN, GGUFValueType.UINT32, original))
        for key, name in _YARN_NUMBERS:
            if rope.get(name) is not None:
                entries.append(Entry(key, FLOAT, rope_number(rope, name, 0.0)))
    return entries


def rotary_width_entries(config: Config) -> list[Entry]:
    """Describe the rotary embedding of a llama-family model, which spans the whole head."""
    return [*rope_entries(config), Entry(Keys.Rope.DIMENSION_COUNT, GGUFValueType.UINT32, config.head_width)]


def llama3_rope_factors(config: Config) -> dict[str, Float32]:
    """Give what Llama 3.1 divides each rotary frequency by, as the tensor ``rope_freqs.weight`` of float32.

    Source: ``LlamaModel.generate_extra_tensors`` in llama.cpp's conversion/llama.py; frequencies are rounded to
    float32 as there, the rest is computed in float64.
    """
    rope = config.rope
    rope = rope.get("full_attention", rope)
    if str(rope.get("rope_type", "")).lower() != "llama3":
        return {}
    base = np.float32(rope_number(rope, "rope_theta", 10000.0))
    factor = rope_number(rope, "factor", 8.0)
    low = rope_number(rope, "low_freq_factor", 1.0)
    high = rope_number(rope, "high_freq_factor", 4.0)
    original = rope_number(rope, "original_max_position_embeddings", 8192)
    if min(float(base), factor, low, original) <= 0 or high <= low:
        raise WeightsInvalid("config.json: the numbers of rope_scaling make no sense.", file_name="config.json")
    exponents = np.arange(0, config.head_width, 2, dtype=np.float32) / np.float32(config.head_width)
    wavelengths = 2 * math.pi / (np.float32(1.0) / base**exponents)
    factors = []
    for wavelength in wavelengths.tolist():
        smooth = (original / wavelength - low) / (high - low)
        if wavelength < original / high:
            factors.append(1.0)
        elif wavelength > original / low:
            factors.append(factor)
        else:
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return {"rope_freqs.weight": np.array(factors, np.float32)}
