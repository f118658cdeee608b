"""Qwen 2, 2.5 and 3, dense and with experts. Their rows are not interleaved: llama.cpp rotates them as they are."""

from dataclasses import replace

from gguf import MODEL_ARCH, Keys

from premrunner.weights.architectures.family import Family, Field, Split, Stack, nothing
from premrunner.weights.architectures.standard import (
    DENSE_LAYER,
    EXPERT_LAYER,
    HEAD_LENGTH_FIELDS,
    STANDARD_FIELDS,
    rope_entries,
    same_heads,
)

_HEAD_NORMS = ("attn_q_norm", "attn_k_norm")
_EXPERTS = Stack(
    r"model\.layers\.(?P<layer>\d+)\.mlp\.experts\.(?P<index>\d+)\.(?P<part>gate_proj|up_proj|down_proj)\.weight",
    "model.layers.{layer}.mlp.experts.{part}.weight",
    ("num_local_experts", "num_experts"),
)
_FUSED_EXPERTS = {
    "gate_up_proj": ("mlp.experts.{expert}.gate_proj.weight", "mlp.experts.{expert}.up_proj.weight"),
    "down_proj": ("mlp.experts.{expert}.down_proj.weight",),
}
# transformers 5 can also save a layer's experts already stacked.
_FUSED = (Split("mlp.experts.gate_up_proj", ("mlp.experts.gate_proj.weight", "mlp.experts.up_proj.weight")),)
_STACKED_DOWN = {"mlp.experts.down_proj": "mlp.experts.down_proj.weight", ".weight.weight": ".weight"}
_EXPERT_WIDTH = Field(Keys.LLM.EXPERT_FEED_FORWARD_LENGTH, ("moe_intermediate_size",))
_SHARED_WIDTH = Field(Keys.LLM.EXPERT_SHARED_FEED_FORWARD_LENGTH, ("shared_expert_intermediate_size",))

QWEN2 = Family(
    names=("Qwen2ForCausalLM",),
    model=MODEL_ARCH.QWEN2,
    fields=(*STANDARD_FIELDS, *HEAD_LENGTH_FIELDS),
    required=DENSE_LAYER,
    defaults={"rms_norm_eps": 1e-6, "rope_theta": 10000.0, "max_position_embeddings": 32768, "vocab_size": 151936},
    derive=same_heads,
    more=rope_entries,
    vocabularies=("sentencepiece", "byte_level"),
)

QWEN3 = replace(
    QWEN2,
    names=("Qwen3ForCausalLM",),
    model=MODEL_ARCH.QWEN3,
    required=(*DENSE_LAYER, *_HEAD_NORMS),
    defaults={**QWEN2.defaults, "head_dim": 128},
)

QWEN2_MOE = replace(
    QWEN2,
    names=("Qwen2MoeForCausalLM",),
    model=MODEL_ARCH.QWEN2MOE,
    fields=(*QWEN2.fields, _EXPERT_WIDTH, _SHARED_WIDTH),
    required=EXPERT_LAYER,
    defaults={
        **QWEN2.defaults,
        "num_experts": 60,
        "num_experts_per_tok": 4,
        "moe_intermediate_size": 1408,
        "shared_expert_intermediate_size": 5632,
    },
    stacked=(_EXPERTS,),
    split=_FUSED,
    fused_experts=_FUSED_EXPERTS,
    rename=_STACKED_DOWN,
    vocabularies=("byte_level",),
)

QWEN3_MOE = replace(
    QWEN2_MOE,
    names=("Qwen3MoeForCausalLM",),
    model=MODEL_ARCH.QWEN3MOE,
    fields=(*QWEN2.fields, _EXPERT_WIDTH),
    required=(*EXPERT_LAYER, *_HEAD_NORMS),
    defaults={
        **QWEN2.defaults,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 768,
        "num_key_value_heads": 4,
    },
    derive=nothing,
)
