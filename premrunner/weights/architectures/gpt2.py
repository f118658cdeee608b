"""GPT-2: learned positions, one fused matrix for q, k and v, and matrices stored the other way round."""

from typing import Any

from gguf import MODEL_ARCH, Keys

from premrunner.weights.architectures.family import Family, Field
from premrunner.weights.architectures.standard import FLOAT
from premrunner.weights.config import Config


def _four_times_wide(config: Config) -> dict[str, Any]:
    # The converter writes four times the width whatever n_inner says, so a model that differs is refused by its shapes.
    return {"n_ctx": config.find_integer("n_positions") or 1024, "feed_forward": 4 * config.width}


GPT2 = Family(
    names=("GPT2LMHeadModel",),
    model=MODEL_ARCH.GPT2,
    fields=(
        Field(Keys.LLM.CONTEXT_LENGTH, ("n_ctx",), is_required=True),
        Field(Keys.LLM.EMBEDDING_LENGTH, ("n_embd",), is_required=True),
        Field(Keys.LLM.FEED_FORWARD_LENGTH, ("feed_forward",)),
        Field(Keys.Attention.HEAD_COUNT, ("n_head",), is_required=True),
        Field(Keys.Attention.LAYERNORM_EPS, ("layer_norm_epsilon",), FLOAT),
    ),
    required=("attn_norm", "attn_qkv", "attn_output", "ffn_norm", "ffn_up", "ffn_down"),
    defaults={"layer_norm_epsilon": 1e-5, "vocab_size": 50257, "tie_word_embeddings": True},
    derive=_four_times_wide,
    # Masks that old checkpoints keep as buffers.
    skipped=(".attn.bias", ".attn.masked_bias"),
    transposed=(".c_attn.weight", ".c_proj.weight", ".c_fc.weight"),
    vocabularies=("byte_level",),
)
