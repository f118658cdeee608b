"""Mixtral: Mistral with eight experts in each layer."""

from gguf import MODEL_ARCH

from premrunner.weights.architectures.family import Family, Stack
from premrunner.weights.architectures.llama import INTERLEAVED, LLAMA, LLAMA_VOCABULARIES, llama_tokens
from premrunner.weights.architectures.standard import EXPERT_LAYER, llama3_rope_factors, rotary_width_entries

MIXTRAL = Family(
    names=("MixtralForCausalLM",),
    model=MODEL_ARCH.LLAMA,
    fields=LLAMA.fields,
    required=EXPERT_LAYER,
    defaults={
        "vocab_size": 32000,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1e6,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131072,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
    },
    more=rotary_width_entries,
    constants=llama3_rope_factors,
    interleaved=INTERLEAVED,
    stacked=(
        Stack(
            r"model\.layers\.(?P<layer>\d+)\.block_sparse_moe\.experts\.(?P<index>\d+)\.(?P<part>w[123])\.weight",
            "layers.{layer}.feed_forward.experts.{part}.weight",
            ("num_local_experts",),
        ),
    ),
    fused_experts={
        "gate_up_proj": (
            "block_sparse_moe.experts.{expert}.w1.weight",
            "block_sparse_moe.experts.{expert}.w3.weight",
        ),
        "down_proj": ("block_sparse_moe.experts.{expert}.w2.weight",),
    },
    vocabularies=LLAMA_VOCABULARIES,
    tokens=llama_tokens,
    space_prefix="as_configured",
)
