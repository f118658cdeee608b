"""IBM's Granite 3: Llama with four multipliers."""

from dataclasses import replace

from gguf import MODEL_ARCH, Keys

from premrunner.weights.architectures.family import Field
from premrunner.weights.architectures.llama import LLAMA
from premrunner.weights.architectures.standard import FLOAT, STANDARD_FIELDS, VOCABULARY_SIZE, same_heads

_MULTIPLIERS = {
    "attention_multiplier": Keys.Attention.SCALE,
    "embedding_multiplier": Keys.LLM.EMBEDDING_SCALE,
    "residual_multiplier": Keys.LLM.RESIDUAL_SCALE,
    "logits_scaling": Keys.LLM.LOGIT_SCALE,
}

GRANITE = replace(
    LLAMA,
    names=("GraniteForCausalLM",),
    model=MODEL_ARCH.GRANITE,
    fields=(*STANDARD_FIELDS, VOCABULARY_SIZE, *(Field(key, (name,), FLOAT) for name, key in _MULTIPLIERS.items())),
    defaults={**LLAMA.defaults, **dict.fromkeys(_MULTIPLIERS, 1.0)},
    derive=same_heads,
    pre_tokenizers={"smollm": "refact"},
)
