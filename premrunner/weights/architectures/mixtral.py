"""Mixtral: Mistral with eight experts in each layer."""

from dataclasses import replace

from premrunner.weights.architectures.family import Stack, nothing
from premrunner.weights.architectures.llama import MISTRAL
from premrunner.weights.architectures.standard import EXPERT_LAYER

MIXTRAL = replace(
    MISTRAL,
    names=("MixtralForCausalLM",),
    required=EXPERT_LAYER,
    defaults={
        **MISTRAL.defaults,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1e6,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
    },
    derive=nothing,
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
)
