"""Merging against PEFT's own ``merge_and_unload``."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from premrunner.weights.convert import convert

from .oracle import Oracle
from .tiny_models import write_tiny_model

ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "plain": ("llama", {"r": 8, "lora_alpha": 16, "target_modules": ALL_LINEAR}),
    "rslora": ("qwen2", {"r": 4, "lora_alpha": 7, "target_modules": ["q_proj", "v_proj"], "use_rslora": True}),
    "patterns": (
        "llama-3.1",
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ALL_LINEAR,
            "rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 6},
            "alpha_pattern": {"k_proj": 3, r"layers\.0\.mlp\..*_proj": 5},
        },
    ),
    "whole modules": (
        "llama",
        {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
    ),
    "embeddings": ("mistral", {"r": 4, "lora_alpha": 8, "target_modules": ["embed_tokens", "lm_head", "v_proj"]}),
    "dora": ("qwen3", {"r": 4, "lora_alpha": 8, "target_modules": ALL_LINEAR, "use_dora": True}),
    "gemma": ("gemma-3", {"r": 4, "lora_alpha": 8, "target_modules": ALL_LINEAR}),
    "fused": ("phi3", {"r": 4, "lora_alpha": 8, "target_modules": ["qkv_proj", "gate_up_proj"]}),
    "transposed": ("gpt2", {"r": 4, "lora_alpha": 8, "target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}),
    "experts": (
        "qwen3-moe",
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ["q_proj"],
            "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
        },
    ),
    "experts by their old names": (
        "mixtral",
        {"r": 4, "lora_alpha": 8, "target_modules": ["w1", "w2", "w3", "q_proj"]},
    ),
    "shared expert": ("qwen2-moe", {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "gate_proj", "down_proj"]}),
}


def values_of(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_merged_adapter_is_what_peft_merges(kind: str, oracle: Oracle, tmp_path: Path) -> None:
    model, config = ADAPTERS[kind]
    base = write_tiny_model(model, tmp_path / "base")
    oracle.ask("make_adapter", base=str(base), destination=str(tmp_path / "adapter"), config=config)
    oracle.ask("merge", base=str(base), adapter=str(tmp_path / "adapter"), destination=str(tmp_path / "merged"))
    for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "config.json"):
        if (base / name).exists():
            (tmp_path / "merged" / name).write_bytes((base / name).read_bytes())

    ours = convert(base, tmp_path / "ours.gguf", adapter=tmp_path / "adapter", output_type="f32")

    theirs = convert(tmp_path / "merged", tmp_path / "theirs.gguf", output_type="f32")
    expected, plain = values_of(theirs.path), values_of(convert(base, tmp_path / "b.gguf", output_type="f32").path)
    assert values_of(ours.path).keys() == expected.keys()
    changed = {name for name in expected if not np.array_equal(expected[name], plain[name])}
    assert changed, "the adapter changes nothing, so this would prove nothing"
    for name, values in values_of(ours.path).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-3, atol=1e-5, err_msg=name)
