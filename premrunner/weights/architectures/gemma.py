"""Gemma 1, 2 and 3. Norms are stored less one, and the output matrix is always the embeddings."""

from dataclasses import replace
from typing import Any

from gguf import MODEL_ARCH, GGUFValueType, Keys

from premrunner.weights.architectures.family import Family, Field
from premrunner.weights.architectures.standard import (
    CONTEXT_LENGTH,
    DENSE_LAYER,
    FEED_FORWARD,
    FLOAT,
    HEAD_LENGTH_FIELDS,
    HEADS,
    KEY_VALUE_HEADS,
    RMS_EPSILON,
    SLIDING_WINDOW,
    WIDTH,
    rope_entries,
    same_heads,
)
from premrunner.weights.config import Config
from premrunner.weights.metadata import Entry

_FIELDS = (CONTEXT_LENGTH, WIDTH, FEED_FORWARD, HEADS, KEY_VALUE_HEADS, RMS_EPSILON, *HEAD_LENGTH_FIELDS)
_ASSUMED = {"head_dim": 256, "rms_norm_eps": 1e-6, "max_position_embeddings": 8192, "tie_word_embeddings": True}
_FINAL_SOFTCAP = Field(Keys.LLM.FINAL_LOGIT_SOFTCAPPING, ("final_logit_softcapping",), FLOAT)
_SANDWICHED = (*DENSE_LAYER, "post_attention_norm", "post_ffw_norm")


def _end_of_turn(_: Config) -> list[Entry]:
    return [Entry(Keys.Tokenizer.EOT_ID, GGUFValueType.UINT32, 107)]


def _two_ropes(config: Config) -> dict[str, Any]:
    """Give the rotary parameters of Gemma 3's two kinds of layers from the flat form of its first configs."""
    rope = config.rope
    if "full_attention" in rope:
        return {}
    theta = rope.get("rope_theta") or 1e6
    local = config.find("rope_local_base_freq") or 10000.0
    config.values["rope_parameters"] = {
        "full_attention": rope | {"rope_theta": theta},
        "sliding_attention": {"rope_type": "default", "rope_theta": local},
    }
    return {}


GEMMA2 = Family(
    names=("Gemma2ForCausalLM",),
    model=MODEL_ARCH.GEMMA2,
    fields=(
        *_FIELDS,
        Field(Keys.LLM.ATTN_LOGIT_SOFTCAPPING, ("attn_logit_softcapping",), FLOAT),
        _FINAL_SOFTCAP,
        SLIDING_WINDOW,
    ),
    required=_SANDWICHED,
    defaults=_ASSUMED
    | {
        "num_key_value_heads": 4,
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "sliding_window": 4096,
    },
    norm_shift=1.0,
    has_output=False,
    vocabularies=("sentencepiece", "byte_fallback"),
    space_prefix="never",
)

GEMMA = replace(
    GEMMA2,
    names=("GemmaForCausalLM",),
    model=MODEL_ARCH.GEMMA,
    fields=_FIELDS,
    required=DENSE_LAYER,
    defaults=_ASSUMED,
    derive=same_heads,
    tokens=_end_of_turn,
)

GEMMA3 = replace(
    GEMMA2,
    names=("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"),
    model=MODEL_ARCH.GEMMA3,
    fields=(*_FIELDS, _FINAL_SOFTCAP, SLIDING_WINDOW),
    required=(*_SANDWICHED, "attn_q_norm", "attn_k_norm"),
    defaults=_ASSUMED
    | {
        "max_position_embeddings": 131072,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "sliding_window": 4096,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "vocab_size": 262208,
    },
    derive=_two_ropes,
    more=rope_entries,
    skipped=("vision_tower.", "vision_model.", "multi_modal_projector."),
    has_output=True,
    trims_vocabulary=True,
)
