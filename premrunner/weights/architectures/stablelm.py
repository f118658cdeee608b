"""StableLM 2 and 3B: layer norms, a rotary embedding over a quarter of each head, and norms of q and k by head."""

from gguf import MODEL_ARCH, GGUFValueType, Keys

from premrunner.weights.architectures.family import Family, Field, Stack
from premrunner.weights.architectures.standard import (
    CONTEXT_LENGTH,
    FEED_FORWARD,
    FLOAT,
    HEADS,
    KEY_VALUE_HEADS,
    WIDTH,
    same_heads,
)
from premrunner.weights.config import Config, rope_number
from premrunner.weights.metadata import Entry


def _rotary_width(config: Config) -> list[Entry]:
    factor = rope_number(config.rope, "partial_rotary_factor", 0.25)
    width = int(factor * (config.width // config.head_count))
    return [Entry(Keys.Rope.DIMENSION_COUNT, GGUFValueType.UINT32, width)]


STABLELM = Family(
    names=("StableLmForCausalLM", "StableLMEpochForCausalLM"),
    model=MODEL_ARCH.STABLELM,
    fields=(
        CONTEXT_LENGTH,
        WIDTH,
        FEED_FORWARD,
        HEADS,
        KEY_VALUE_HEADS,
        Field(Keys.LLM.USE_PARALLEL_RESIDUAL, ("use_parallel_residual",), GGUFValueType.BOOL),
        Field(Keys.Attention.LAYERNORM_EPS, ("layer_norm_eps", "norm_eps"), FLOAT),
    ),
    required=("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"),
    defaults={
        "layer_norm_eps": 1e-5,
        "partial_rotary_factor": 0.25,
        "max_position_embeddings": 4096,
        "use_parallel_residual": False,
    },
    derive=same_heads,
    more=_rotary_width,
    stacked=tuple(
        Stack(
            rf"model\.layers\.(?P<layer>\d+)\.self_attn\.{part}_layernorm\.norms\.(?P<index>\d+)\.weight",
            "model.layers.{layer}.self_attn." + part + "_layernorm.weight",
            count,
        )
        for part, count in (("q", ("num_attention_heads",)), ("k", ("num_key_value_heads",)))
    ),
    vocabularies=("byte_level",),
    pre_tokenizers={"qwen2": "stablelm2"},
)
