"""Models on which llama-quantize's choice of types can be seen: wide rows, several layers, experts, fused values."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from .safetensors_file import stored, write_safetensors
from .tiny_models import random_values, write_tokenizer

OUTPUT_TYPES = ("q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0")
TOKENS = 288


@dataclass(frozen=True)
class QuantizedModel:
    """One model, llama-shaped unless it says otherwise.

    Attributes:
        width: Length of a row: 256 fits the K-quants, 96 does not.
        experts: 0 for a dense model.
    """

    layers: int = 9
    width: int = 256
    inner: int = 256
    heads: int = 4
    key_value_heads: int = 2
    experts: int = 0
    is_tied: bool = True
    pre: str | None = "gpt-2"
    output_types: tuple[str, ...] = OUTPUT_TYPES
    architecture: str = "LlamaForCausalLM"
    config: dict[str, object] = field(default_factory=lambda: {"model_type": "llama"})


QUANTIZED_MODELS = {
    "tied": QuantizedModel(),
    "untied": QuantizedModel(is_tied=False, layers=5),
    "narrow": QuantizedModel(width=96, inner=160, heads=3, key_value_heads=3, layers=3),
    "very narrow": QuantizedModel(width=80, inner=48, heads=5, key_value_heads=5, layers=2),
    "70b": QuantizedModel(layers=80, inner=32, key_value_heads=1, output_types=("q4_k_m",)),
    "eight experts": QuantizedModel(
        layers=3,
        experts=8,
        is_tied=False,
        pre=None,
        architecture="MixtralForCausalLM",
        config={"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2},
    ),
    "fused": QuantizedModel(
        layers=4,
        is_tied=False,
        key_value_heads=4,
        pre=None,
        architecture="Phi3ForCausalLM",
        config={"model_type": "phi3", "pad_token_id": 0},
    ),
}


def write_quantized_model(kind: str, folder: Path) -> Path:
    """Write one of ``QUANTIZED_MODELS`` in bfloat16."""
    model = QUANTIZED_MODELS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    shapes = dict(_shapes(model))
    tensors = {name: ("BF16", stored(random_values(name, shape), "BF16")) for name, shape in shapes.items()}
    write_safetensors(folder / "model.safetensors", tensors)
    config = {
        "architectures": [model.architecture],
        "hidden_size": model.width,
        "intermediate_size": model.inner,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.key_value_heads,
        "num_hidden_layers": model.layers,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "vocab_size": TOKENS,
        "tie_word_embeddings": model.is_tied,
        **model.config,
    }
    (folder / "config.json").write_text(json.dumps(config))
    write_tokenizer(model.pre, folder)
    return folder


def _shapes(model: QuantizedModel):
    width, inner, head = model.width, model.inner, model.width // model.heads
    yield "model.embed_tokens.weight", (TOKENS, width)
    for layer in range(model.layers):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", (width,)
        yield f"{prefix}.post_attention_layernorm.weight", (width,)
        yield f"{prefix}.self_attn.o_proj.weight", (width, width)
        if model.architecture == "Phi3ForCausalLM":
            yield f"{prefix}.self_attn.qkv_proj.weight", (3 * width, width)
            yield f"{prefix}.mlp.gate_up_proj.weight", (2 * inner, width)
            yield f"{prefix}.mlp.down_proj.weight", (width, inner)
            continue
        yield f"{prefix}.self_attn.q_proj.weight", (width, width)
        for part in "kv":
            yield f"{prefix}.self_attn.{part}_proj.weight", (model.key_value_heads * head, width)
        if model.experts:
            yield f"{prefix}.block_sparse_moe.gate.weight", (model.experts, width)
        for expert in range(model.experts):
            moe = f"{prefix}.block_sparse_moe.experts.{expert}"
            yield f"{moe}.w1.weight", (inner, width)
            yield f"{moe}.w2.weight", (width, inner)
            yield f"{moe}.w3.weight", (inner, width)
        if not model.experts:
            yield f"{prefix}.mlp.gate_proj.weight", (inner, width)
            yield f"{prefix}.mlp.up_proj.weight", (inner, width)
            yield f"{prefix}.mlp.down_proj.weight", (width, inner)
    yield "model.norm.weight", (width,)
    if not model.is_tied:
        yield "lm_head.weight", (TOKENS, width)
