"""SmolLM 3: Llama's shape; llama.cpp itself knows which layers do without rotary embedding."""

from dataclasses import replace

from gguf import MODEL_ARCH

from premrunner.weights.architectures.family import nothing
from premrunner.weights.architectures.llama import LLAMA

SMOLLM3 = replace(
    LLAMA,
    names=("SmolLM3ForCausalLM",),
    model=MODEL_ARCH.SMOLLM3,
    defaults={
        "vocab_size": 128256,
        "rms_norm_eps": 1e-6,
        "rope_theta": 2e6,
        "max_position_embeddings": 32768,
        "num_key_value_heads": 4,
        "tie_word_embeddings": True,
    },
    derive=nothing,
)
