"""Tiny random models with the real structure of each family, the same on every machine."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .safetensors_file import stored, write_safetensors, write_sharded
from .tiny_pre_tokenizers import tokenizer_with
from .tiny_tokenizers import write_byte_level, write_sentencepiece

WIDTH, INNER, HEADS, KEY_VALUE_HEADS, HEAD, LAYERS, TOKENS = 64, 96, 4, 2, 16, 2, 288
EXPERTS, EXPERT_INNER = 4, 32

Shapes = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class TinyModel:
    """One tiny model.

    Attributes:
        config: What config.json holds besides the usual numbers.
        shapes: Gives the tensors' names and shapes.
        pre: What the oracle is told the pre-tokenizer is; None for SentencePiece.
    """

    architecture: str
    config: dict[str, object]
    shapes: Callable[[], Shapes]
    pre: str | None = "gpt-2"
    usual: dict[str, object] = field(default_factory=lambda: dict(USUAL))
    dtype: str = "BF16"


USUAL: dict[str, object] = {
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KEY_VALUE_HEADS,
    "num_hidden_layers": LAYERS,
    "max_position_embeddings": 256,
    "vocab_size": TOKENS,
    "bos_token_id": 267,
    "eos_token_id": 268,
    "pad_token_id": None,
    "torch_dtype": "bfloat16",
}


def _attention(prefix: str, *, bias: tuple[str, ...] = (), head: int = HEAD) -> Shapes:
    sizes = {"q": HEADS * head, "k": KEY_VALUE_HEADS * head, "v": KEY_VALUE_HEADS * head}
    for part, rows in sizes.items():
        yield f"{prefix}.self_attn.{part}_proj.weight", (rows, WIDTH)
        if part in bias:
            yield f"{prefix}.self_attn.{part}_proj.bias", (rows,)
    yield f"{prefix}.self_attn.o_proj.weight", (WIDTH, HEADS * head)
    if "o" in bias:
        yield f"{prefix}.self_attn.o_proj.bias", (WIDTH,)


def _gated(prefix: str, inner: int = INNER) -> Shapes:
    yield f"{prefix}.gate_proj.weight", (inner, WIDTH)
    yield f"{prefix}.up_proj.weight", (inner, WIDTH)
    yield f"{prefix}.down_proj.weight", (WIDTH, inner)


def _norms(prefix: str, *names: str, size: int = WIDTH) -> Shapes:
    for name in names:
        yield f"{prefix}.{name}.weight", (size,)


def _around(layers: Callable[[str], Shapes], *, tied: bool = False, norm_bias: bool = False) -> Callable[[], Shapes]:
    def shapes() -> Shapes:
        yield "model.embed_tokens.weight", (TOKENS, WIDTH)
        for layer in range(LAYERS):
            yield from layers(f"model.layers.{layer}")
        yield "model.norm.weight", (WIDTH,)
        if norm_bias:
            yield "model.norm.bias", (WIDTH,)
        if not tied:
            yield "lm_head.weight", (TOKENS, WIDTH)

    return shapes


def _llama(prefix: str) -> Shapes:
    yield from _norms(prefix, "input_layernorm", "post_attention_layernorm")
    yield from _attention(prefix)
    yield from _gated(f"{prefix}.mlp")


def _biased(prefix: str) -> Shapes:
    yield from _norms(prefix, "input_layernorm", "post_attention_layernorm")
    yield from _attention(prefix, bias=("q", "k", "v"))
    yield from _gated(f"{prefix}.mlp")


def _biased_all(prefix: str) -> Shapes:
    yield from _norms(prefix, "input_layernorm", "post_attention_layernorm")
    yield from _attention(prefix, bias=("q", "k", "v", "o"))
    yield from _gated(f"{prefix}.mlp")


def _mixtral(prefix: str) -> Shapes:
    yield from _norms(prefix, "input_layernorm", "post_attention_layernorm")
    yield from _attention(prefix)
    yield f"{prefix}.block_sparse_moe.gate.weight", (EXPERTS, WIDTH)
    for expert in range(EXPERTS):
        for part, shape in (("w1", (INNER, WIDTH)), ("w2", (WIDTH, INNER)), ("w3", (INNER, WIDTH))):
            yield f"{prefix}.block_sparse_moe.experts.{expert}.{part}.weight", shape


def _experts(prefix: str) -> Shapes:
    yield f"{prefix}.mlp.gate.weight", (EXPERTS, WIDTH)
    for expert in range(EXPERTS):
        yield from _gated(f"{prefix}.mlp.experts.{expert}", EXPERT_INNER)


def _qwen2_moe(prefix: str) -> Shapes:
    yield from _norms(prefix, "input_layernorm", "post_attention_layernorm")
    yield from _attention(prefix, bias=("q", "k", "v"))
    yield from _experts(prefix)
    yield from _gated(f"{prefix}.mlp.shared_expert", INNER)
    yield f"{prefix}.mlp.shared_expert_gate.weight", (1, WIDTH)


def _qwen3(prefix: str) -> Shapes:
    yield from _norms(prefix, "input_layernorm", "post_attention_layernorm")
    yield from _attention(prefix, head=32)
    yield from _norms(prefix + ".self_attn", "q_norm", "k_norm", size=32)
    yield from _gated(f"{prefix}.mlp")


def _qwen3_moe(prefix: str) -> Shapes:
    yield from _norms(prefix, "input_layernorm", "post_attention_layernorm")
    yield from _attention(prefix, head=32)
    yield from _norms(prefix + ".self_attn", "q_norm", "k_norm", size=32)
    yield from _experts(prefix)


def _gemma2(prefix: str) -> Shapes:
    yield from _norms(
        prefix,
        "input_layernorm",
        "post_attention_layernorm",
        "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
    )
    yield from _attention(prefix)
    yield from _gated(f"{prefix}.mlp")


def _gemma3(prefix: str) -> Shapes:
    yield from _gemma2(prefix)
    yield from _norms(prefix + ".self_attn", "q_norm", "k_norm", size=HEAD)


def _phi3(prefix: str) -> Shapes:
    yield from _norms(prefix, "input_layernorm", "post_attention_layernorm")
    yield f"{prefix}.self_attn.qkv_proj.weight", ((HEADS + 2 * KEY_VALUE_HEADS) * HEAD, WIDTH)
    yield f"{prefix}.self_attn.o_proj.weight", (WIDTH, WIDTH)
    yield f"{prefix}.mlp.gate_up_proj.weight", (2 * INNER, WIDTH)
    yield f"{prefix}.mlp.down_proj.weight", (WIDTH, INNER)


def _olmo2(prefix: str) -> Shapes:
    yield from _norms(prefix, "post_attention_layernorm", "post_feedforward_layernorm")
    yield from _norms(prefix + ".self_attn", "q_norm")
    yield from _norms(prefix + ".self_attn", "k_norm", size=KEY_VALUE_HEADS * HEAD)
    yield from _attention(prefix)
    yield from _gated(f"{prefix}.mlp")


def _stablelm(prefix: str) -> Shapes:
    for norm in ("input_layernorm", "post_attention_layernorm"):
        yield f"{prefix}.{norm}.weight", (WIDTH,)
        yield f"{prefix}.{norm}.bias", (WIDTH,)
    yield from _attention(prefix, bias=("q", "k", "v"))
    yield from _gated(f"{prefix}.mlp")


def _stablelm_normed(prefix: str) -> Shapes:
    yield from _stablelm(prefix)
    for part, count in (("q", HEADS), ("k", KEY_VALUE_HEADS)):
        for head in range(count):
            yield f"{prefix}.self_attn.{part}_layernorm.norms.{head}.weight", (HEAD,)


def _gpt2() -> Shapes:
    yield "transformer.wte.weight", (TOKENS, WIDTH)
    yield "transformer.wpe.weight", (256, WIDTH)
    for layer in range(LAYERS):
        prefix = f"transformer.h.{layer}"
        for name, inputs, outputs in (
            ("attn.c_attn", WIDTH, 3 * WIDTH),
            ("attn.c_proj", WIDTH, WIDTH),
            ("mlp.c_fc", WIDTH, 4 * WIDTH),
            ("mlp.c_proj", 4 * WIDTH, WIDTH),
        ):
            yield f"{prefix}.{name}.weight", (inputs, outputs)
            yield f"{prefix}.{name}.bias", (outputs,)
        for norm in ("ln_1", "ln_2"):
            yield f"{prefix}.{norm}.weight", (WIDTH,)
            yield f"{prefix}.{norm}.bias", (WIDTH,)
    yield "transformer.ln_f.weight", (WIDTH,)
    yield "transformer.ln_f.bias", (WIDTH,)


def _seeing(shapes: Callable[[], Shapes]) -> Callable[[], Shapes]:
    """Put the text part where models that also see have it, and one tensor of the eye beside it."""

    def all_shapes() -> Shapes:
        for name, shape in shapes():
            yield "language_model." + name, shape
        yield "vision_tower.vision_model.embeddings.patch_embedding.weight", (8, 3, 2, 2)
        yield "multi_modal_projector.mm_input_projection_weight", (8, WIDTH)

    return all_shapes


_MOE = {"num_experts": EXPERTS, "num_experts_per_tok": 2, "moe_intermediate_size": EXPERT_INNER}
_LLAMA3_ROPE = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
    "rope_type": "llama3",
}
_LONG_ROPE = {
    "type": "longrope",
    "long_factor": [1.0 + place / 7 for place in range(8)],
    "short_factor": [1.0 + place / 9 for place in range(8)],
}
_GEMMA = {
    "head_dim": HEAD,
    "hidden_activation": "gelu_pytorch_tanh",
    "tie_word_embeddings": True,
    "query_pre_attn_scalar": 16,
}
_GPT2_NUMBERS = {
    "n_embd": WIDTH,
    "n_head": HEADS,
    "n_layer": LAYERS,
    "n_positions": 256,
    "n_ctx": 256,
    "vocab_size": TOKENS,
}
_GRANITE = {
    "attention_multiplier": 0.0625,
    "embedding_multiplier": 12.0,
    "residual_multiplier": 0.22,
    "logits_scaling": 8.0,
}

TINY_MODELS = {
    "llama": TinyModel("LlamaForCausalLM", {"model_type": "llama", "rms_norm_eps": 1e-5}, _around(_llama)),
    "llama-sentencepiece": TinyModel("LlamaForCausalLM", {"model_type": "llama"}, _around(_llama), None, dtype="F16"),
    "llama-3.1": TinyModel(
        "LlamaForCausalLM",
        {"model_type": "llama", "rope_theta": 500000.0, "rope_scaling": _LLAMA3_ROPE, "tie_word_embeddings": True},
        _around(_llama, tied=True),
        "llama-bpe",
    ),
    "llama-linear": TinyModel(
        "LlamaForCausalLM",
        {"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2.0}},
        _around(_llama),
        dtype="F32",
    ),
    "llama-biased": TinyModel(
        "LlamaForCausalLM", {"model_type": "llama", "attention_bias": True}, _around(_biased_all), None
    ),
    "mistral": TinyModel(
        "MistralForCausalLM", {"model_type": "mistral", "sliding_window": 64, "head_dim": HEAD}, _around(_llama), None
    ),
    "mixtral": TinyModel(
        "MixtralForCausalLM",
        {"model_type": "mixtral", "num_local_experts": EXPERTS, "num_experts_per_tok": 2},
        _around(_mixtral),
        None,
    ),
    "qwen2": TinyModel("Qwen2ForCausalLM", {"model_type": "qwen2", "rope_theta": 1e6}, _around(_biased), "qwen2"),
    "qwen2-yarn": TinyModel(
        "Qwen2ForCausalLM",
        {
            "model_type": "qwen2",
            "tie_word_embeddings": True,
            "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
        },
        _around(_biased, tied=True),
        "qwen2",
    ),
    "qwen2-moe": TinyModel(
        "Qwen2MoeForCausalLM",
        {"model_type": "qwen2_moe", "shared_expert_intermediate_size": INNER, **_MOE},
        _around(_qwen2_moe),
        "qwen2",
    ),
    "qwen3": TinyModel("Qwen3ForCausalLM", {"model_type": "qwen3", "head_dim": 32}, _around(_qwen3), "qwen2"),
    "qwen3-moe": TinyModel(
        "Qwen3MoeForCausalLM",
        {"model_type": "qwen3_moe", "head_dim": 32, **_MOE},
        _around(_qwen3_moe),
        "qwen2",
    ),
    "gemma": TinyModel("GemmaForCausalLM", {"model_type": "gemma", **_GEMMA}, _around(_llama, tied=True), None),
    "gemma-2": TinyModel(
        "Gemma2ForCausalLM",
        {"model_type": "gemma2", "sliding_window": 64, **_GEMMA},
        _around(_gemma2, tied=True),
        None,
    ),
    "gemma-3": TinyModel(
        "Gemma3ForCausalLM",
        {
            "model_type": "gemma3_text",
            "sliding_window": 64,
            "rope_theta": 1e6,
            "rope_local_base_freq": 10000.0,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            **_GEMMA,
        },
        _around(_gemma3, tied=True),
        None,
    ),
    "gemma-3-seeing": TinyModel(
        "Gemma3ForConditionalGeneration",
        {
            "model_type": "gemma3",
            "text_config": {"model_type": "gemma3_text", "sliding_window": 64, **USUAL, **_GEMMA},
            "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 8, "num_hidden_layers": 1},
        },
        _seeing(_around(_gemma3, tied=True)),
        None,
        usual={"vocab_size": TOKENS},
    ),
    "phi3": TinyModel(
        "Phi3ForCausalLM",
        {"model_type": "phi3", "rms_norm_eps": 1e-5, "sliding_window": 64, "pad_token_id": 0},
        _around(_phi3),
        None,
    ),
    "phi3-long": TinyModel(
        "Phi3ForCausalLM",
        {
            "model_type": "phi3",
            "original_max_position_embeddings": 64,
            "rope_scaling": _LONG_ROPE,
            "sliding_window": None,
            "pad_token_id": 0,
        },
        _around(_phi3),
        None,
    ),
    "smollm3": TinyModel(
        "SmolLM3ForCausalLM",
        {"model_type": "smollm3", "rope_theta": 5e6, "tie_word_embeddings": True},
        _around(_llama, tied=True),
        "llama-bpe",
    ),
    "olmo2": TinyModel(
        "Olmo2ForCausalLM", {"model_type": "olmo2", "rope_theta": 500000, "rms_norm_eps": 1e-6}, _around(_olmo2), "dbrx"
    ),
    "granite": TinyModel(
        "GraniteForCausalLM",
        {"model_type": "granite", "tie_word_embeddings": True, **_GRANITE},
        _around(_llama, tied=True),
        "refact",
    ),
    "stablelm": TinyModel(
        "StableLmForCausalLM",
        {"model_type": "stablelm", "use_qkv_bias": True, "partial_rotary_factor": 0.25, "layer_norm_eps": 1e-5},
        _around(_stablelm, norm_bias=True),
        "stablelm2",
    ),
    "stablelm-normed": TinyModel(
        "StableLmForCausalLM",
        {"model_type": "stablelm", "use_qkv_bias": True, "qk_layernorm": True},
        _around(_stablelm_normed, norm_bias=True),
        "stablelm2",
    ),
    "gpt2": TinyModel(
        "GPT2LMHeadModel", {"model_type": "gpt2", "bos_token_id": 266, **_GPT2_NUMBERS}, _gpt2, "gpt-2", usual={}
    ),
}


def random_values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Give float32 values that depend on the name alone: noise around 0, around 1 for norms."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    count = int(np.prod(shape))
    # A multiplicative hash instead of numpy's generators, whose streams may change between versions.
    bits = (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(seed | 1)) * np.uint64(0x9E3779B97F4A7C15)
    bits ^= bits >> np.uint64(29)
    noise = ((bits * np.uint64(0xBF58476D1CE4E5B9)) >> np.uint64(40)).astype(np.float32) / np.float32(2**24) - 0.5
    return (noise * np.float32(0.2) + np.float32(1.0 if "norm" in name or ".ln_" in name else 0.0)).reshape(shape)


def write_tiny_model(kind: str, folder: Path, *, dtype: str | None = None, shard_count: int = 1) -> Path:
    """Write one of ``TINY_MODELS`` as training would."""
    model = TINY_MODELS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    dtype = dtype or model.dtype
    tensors = {name: (dtype, stored(random_values(name, shape), dtype)) for name, shape in model.shapes()}
    if shard_count > 1:
        write_sharded(folder, tensors, shard_count)
    else:
        write_safetensors(folder / "model.safetensors", tensors)
    config = {"architectures": [model.architecture], **model.usual, **model.config}
    (folder / "config.json").write_text(json.dumps(config))
    write_tokenizer(model.pre, folder)
    return folder


def write_tokenizer(pre: str | None, folder: Path) -> None:
    """Write a byte-level tokenizer with that pre-tokenizer, or a SentencePiece one."""
    if pre is None:
        write_sentencepiece(folder)
    else:
        write_byte_level(folder, tokenizer_with(pre))
