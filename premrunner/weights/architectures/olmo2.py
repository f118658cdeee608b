"""OLMo 2: norms after attention and feed-forward instead of before, and norms of q and k."""

from gguf import MODEL_ARCH

from premrunner.weights.architectures.family import Family
from premrunner.weights.architectures.standard import HEAD_LENGTH_FIELDS, STANDARD_FIELDS, rope_entries, same_heads

OLMO2 = Family(
    names=("Olmo2ForCausalLM",),
    model=MODEL_ARCH.OLMO2,
    fields=(*STANDARD_FIELDS, *HEAD_LENGTH_FIELDS),
    required=(
        "attn_q",
        "attn_k",
        "attn_v",
        "attn_output",
        "attn_q_norm",
        "attn_k_norm",
        "post_attention_norm",
        "ffn_gate",
        "ffn_up",
        "ffn_down",
        "post_ffw_norm",
    ),
    defaults={"rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 2048, "vocab_size": 50304},
    derive=same_heads,
    more=rope_entries,
    vocabularies=("byte_level",),
    pre_tokenizers={"llama-bpe": "dbrx"},
)
