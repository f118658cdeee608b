"""IBM's Granite 3: Llama with four multipliers."""

from gguf import MODEL_ARCH, Keys

from premrunner.weights.architectures.family import Family, Field
from premrunner.weights.architectures.llama import INTERLEAVED, LLAMA_VOCABULARIES, llama_tokens
from premrunner.weights.architectures.standard import (
    DENSE_LAYER,
    FLOAT,
    STANDARD_FIELDS,
    VOCABULARY_SIZE,
    llama3_rope_factors,
    rotary_width_entries,
    same_heads,
)

GRANITE = Family(
    names=("GraniteForCausalLM",),
    model=MODEL_ARCH.GRANITE,
    fields=(
        *STANDARD_FIELDS,
        VOCABULARY_SIZE,
        Field(Keys.Attention.SCALE, ("attention_multiplier",), FLOAT),
        Field(Keys.LLM.EMBEDDING_SCALE, ("embedding_multiplier",), FLOAT),
        Field(Keys.LLM.RESIDUAL_SCALE, ("residual_multiplier",), FLOAT),
        Field(Keys.LLM.LOGIT_SCALE, ("logits_scaling",), FLOAT),
    ),
    required=DENSE_LAYER,
    defaults={
        "vocab_size": 32000,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "max_position_embeddings": 2048,
        "attention_multiplier": 1.0,
        "embedding_multiplier": 1.0,
        "residual_multiplier": 1.0,
        "logits_scaling": 1.0,
    },
    derive=same_heads,
    more=rotary_width_entries,
    constants=llama3_rope_factors,
    interleaved=INTERLEAVED,
    vocabularies=LLAMA_VOCABULARIES,
    tokens=llama_tokens,
    space_prefix="as_configured",
    pre_tokenizers={"smollm": "refact"},
)
