"""Llama 1 to 3.3 and whatever shares its shape: SmolLM 1 and 2, TinyLlama, Yi, Vicuna, and Mistral."""

from dataclasses import replace

from gguf import MODEL_ARCH, GGUFValueType, Keys

from premrunner.weights.architectures.family import Family, Interleave
from premrunner.weights.architectures.standard import (
    DENSE_LAYER,
    HEAD_LENGTH_FIELDS,
    STANDARD_FIELDS,
    VOCABULARY_SIZE,
    llama3_rope_factors,
    rotary_width_entries,
    same_heads_and_head_width,
)
from premrunner.weights.config import Config
from premrunner.weights.metadata import Entry


def _tokens(config: Config) -> list[Entry]:
    # What llama.cpp's converter knows about two vocabularies by their size: CodeLlama's and StarCoder's.
    if config.find_integer("vocab_size") == 32016:
        return [Entry(Keys.Tokenizer.EOT_ID, GGUFValueType.UINT32, 32010)]
    if config.find_integer("vocab_size") == 49152:
        return [Entry(Keys.Tokenizer.ADD_BOS, GGUFValueType.BOOL, False)]
    return []


LLAMA = Family(
    names=("LlamaForCausalLM", "LLaMAForCausalLM"),
    model=MODEL_ARCH.LLAMA,
    fields=(*STANDARD_FIELDS, *HEAD_LENGTH_FIELDS, VOCABULARY_SIZE),
    required=DENSE_LAYER,
    defaults={"vocab_size": 32000, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "max_position_embeddings": 2048},
    derive=same_heads_and_head_width,
    more=rotary_width_entries,
    constants=llama3_rope_factors,
    interleaved=(
        Interleave("q_proj.weight"),
        Interleave("q_proj.bias"),
        Interleave("k_proj.weight", of_keys=True),
        Interleave("k_proj.bias", of_keys=True),
    ),
    vocabularies=("sentencepiece", "byte_fallback", "byte_level", "unigram"),
    tokens=_tokens,
    space_prefix="as_configured",
)

MISTRAL = replace(
    LLAMA,
    names=("MistralForCausalLM",),
    defaults={**LLAMA.defaults, "num_key_value_heads": 8, "max_position_embeddings": 131072},
)
