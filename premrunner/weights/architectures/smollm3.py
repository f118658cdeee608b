"""SmolLM 3: Llama's shape; llama.cpp itself knows which layers do without rotary embedding."""

from gguf import MODEL_ARCH

from premrunner.weights.architectures.family import Family
from premrunner.weights.architectures.llama import INTERLEAVED, LLAMA, LLAMA_VOCABULARIES, llama_tokens
from premrunner.weights.architectures.standard import DENSE_LAYER, llama3_rope_factors, rotary_width_entries

SMOLLM3 = Family(
    names=("SmolLM3ForCausalLM",),
    model=MODEL_ARCH.SMOLLM3,
    fields=LLAMA.fields,
    required=DENSE_LAYER,
    defaults={
        "vocab_size": 128256,
        "rms_norm_eps": 1e-6,
        "rope_theta": 2e6,
        "max_position_embeddings": 32768,
        "num_key_value_heads": 4,
        "tie_word_embeddings": True,
    },
    more=rotary_width_entries,
    constants=llama3_rope_factors,
    interleaved=INTERLEAVED,
    vocabularies=LLAMA_VOCABULARIES,
    tokens=llama_tokens,
    space_prefix="as_configured",
)
