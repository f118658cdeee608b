"""Merging adapters: names, strengths, tied weights, and what is refused. PEFT itself is in test_lora_oracle."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest

from premrunner.weights.adapter import open_adapter
from premrunner.weights.convert import convert
from premrunner.weights.errors import BaseMismatch, NotWeights, UnsupportedAdapter, WeightsInvalid

from .adapters import matrices, write_adapter
from .tiny_models import TOKENS, random_values, write_tiny_model

V_PROJ = "model.layers.0.self_attn.v_proj"


def values(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}


def merged(base: Path, adapter: Path) -> dict[str, np.ndarray]:
    return values(convert(base, base.parent / "merged.gguf", adapter=adapter, output_type="f32").path)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_tiny_model("llama", tmp_path / "base", dtype="F32")


@pytest.mark.parametrize(
    "name",
    [
        "base_model.model.{module}.lora_{part}.weight",
        "base_model.model.{module}.lora_{part}.default.weight",
        "base_model.model.{module}.lora_{part}.my_adapter.weight",
        "{module}.lora_{part}.weight",
        "base_model.model.model.{short}.lora_{part}.weight",
        "base_model.model.language_model.{module}.lora_{part}.weight",
    ],
)
def test_the_names_of_every_exporter_are_understood(name: str, base: Path, tmp_path: Path) -> None:
    down, up = matrices(V_PROJ, outputs=32)
    short = V_PROJ.removeprefix("model.")
    adapter = write_adapter(
        tmp_path / "adapter",
        {name.format(module=V_PROJ, short=short, part=part): array for part, array in (("A", down), ("B", up))},
    )

    found = merged(base, adapter)

    expected = random_values(f"{V_PROJ}.weight", (32, 64)) + 2.0 * up @ down
    np.testing.assert_allclose(found["blk.0.attn_v.weight"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 2.0),
        ({"lora_alpha": 16.5}, 4.125),
        ({"use_rslora": True}, 4.0),
        ({"alpha_pattern": {"v_proj": 4}}, 1.0),
        ({"alpha_pattern": {r"layers\.0\..*": 12}}, 3.0),
        ({"alpha_pattern": {"k_proj": 4}}, 2.0),
        ({"r": 64, "rank_pattern": {"v_proj": 4}}, 2.0),
    ],
)
def test_the_strength_follows_alpha_and_the_real_rank(config: dict, scale: float, base: Path, tmp_path: Path) -> None:
    down, up = matrices(V_PROJ, outputs=32)
    names = {f"base_model.model.{V_PROJ}.lora_A.weight": down, f"base_model.model.{V_PROJ}.lora_B.weight": up}

    found = merged(base, write_adapter(tmp_path / "adapter", names, **config))

    expected = random_values(f"{V_PROJ}.weight", (32, 64)) + np.float32(scale) * (up @ down)
    np.testing.assert_allclose(found["blk.0.attn_v.weight"], expected, rtol=1e-5, atol=1e-6)


def test_experts_under_their_own_names_are_merged(tmp_path: Path) -> None:
    base = write_tiny_model("mixtral", tmp_path / "base", dtype="F32")
    module = "model.layers.1.block_sparse_moe.experts.2.w1"
    down, up = matrices(module, outputs=96)
    names = {f"base_model.model.{module}.lora_A.weight": down, f"base_model.model.{module}.lora_B.weight": up}

    found = merged(base, write_adapter(tmp_path / "adapter", names))

    plain = values(convert(base, tmp_path / "plain.gguf", output_type="f32").path)["blk.1.ffn_gate_exps.weight"]
    change = found["blk.1.ffn_gate_exps.weight"] - plain
    np.testing.assert_allclose(change[2], 2.0 * up @ down, rtol=1e-3, atol=1e-6)
    assert not change[[0, 1, 3]].any()


def test_a_resized_vocabulary_comes_with_its_tokenizer(base: Path, tmp_path: Path) -> None:
    rows = random_values("resized", (TOKENS + 8, 64))
    adapter = write_adapter(
        tmp_path / "adapter",
        {"base_model.model.model.embed_tokens.weight": rows, "base_model.model.lm_head.weight": rows * 2},
    )
    (adapter / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes())

    conversion = convert(base, tmp_path / "out.gguf", adapter=adapter, output_type="f32")

    np.testing.assert_array_equal(values(conversion.path)["token_embd.weight"], rows)
    np.testing.assert_array_equal(values(conversion.path)["output.weight"], rows * 2)
    fields = gguf.GGUFReader(conversion.path).fields
    assert len(fields["tokenizer.ggml.tokens"].contents()) == TOKENS + 8
    assert fields["llama.vocab_size"].contents() == TOKENS + 8


@pytest.mark.parametrize("module", ["lm_head", "model.embed_tokens"])
def test_tied_weights_part_where_training_changed_one_of_them(module: str, tmp_path: Path) -> None:
    base = write_tiny_model("llama-3.1", tmp_path / "base", dtype="F32")
    embeddings = random_values("model.embed_tokens.weight", (TOKENS, 64))
    if module == "lm_head":
        down, up = matrices(module, outputs=TOKENS)
        names = {f"base_model.model.{module}.lora_A.weight": down, f"base_model.model.{module}.lora_B.weight": up}
        change = 2.0 * up @ down
    else:
        down, up = matrices(module, inputs=TOKENS)
        names = {f"base_model.model.{module}.lora_embedding_A": down, f"base_model.model.{module}.lora_embedding_B": up}
        change = 2.0 * (up @ down).T

    found = merged(base, write_adapter(tmp_path / "adapter", names))

    changed, kept = ("output", "token_embd") if module == "lm_head" else ("token_embd", "output")
    np.testing.assert_allclose(found[f"{changed}.weight"], embeddings + change, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found[f"{kept}.weight"], embeddings)


def test_weights_that_were_kept_tied_stay_one(tmp_path: Path) -> None:
    base = write_tiny_model("llama-3.1", tmp_path / "base", dtype="F32")
    down, up = matrices("embed", inputs=TOKENS)
    names = {
        "base_model.model.model.embed_tokens.lora_embedding_A": down,
        "base_model.model.model.embed_tokens.lora_embedding_B": up,
        "base_model.model.lm_head.lora_A.weight": up.T,
        "base_model.model.lm_head.lora_B.weight": down.T,
    }

    found = merged(base, write_adapter(tmp_path / "adapter", names, ensure_weight_tying=True))

    assert "output.weight" not in found


@pytest.mark.parametrize(
    ("config", "variant"),
    [
        ({"peft_type": "LOHA"}, "LOHA"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"init_lora_weights": "pissa_niter_16"}, "pissa"),
        ({"init_lora_weights": "olora"}, "olora"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"alora_invocation_tokens": [1, 2]}, "alora_invocation_tokens"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"alpha_pattern": {"(a+)+b": 3}}, "alpha_pattern"),
    ],
)
def test_a_variant_that_cannot_be_merged_exactly_is_refused_by_name(
    config: dict, variant: str, base: Path, tmp_path: Path
) -> None:
    down, up = matrices(V_PROJ, outputs=32)
    names = {f"base_model.model.{V_PROJ}.lora_A.weight": down, f"base_model.model.{V_PROJ}.lora_B.weight": up}
    adapter = write_adapter(tmp_path / "adapter", names, **config)

    with pytest.raises(UnsupportedAdapter, match=variant):
        convert(base, tmp_path / "out.gguf", adapter=adapter)


def test_several_adapters_in_one_file_are_refused(tmp_path: Path) -> None:
    down, up = matrices(V_PROJ, outputs=32)
    names = {f"{V_PROJ}.lora_A.{name}.weight": down for name in ("first", "second")}
    names |= {f"{V_PROJ}.lora_B.{name}.weight": up for name in ("first", "second")}

    with pytest.raises(UnsupportedAdapter, match="first, second"):
        open_adapter(write_adapter(tmp_path / "adapter", names))


def test_a_layer_with_one_matrix_is_refused(tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", {f"{V_PROJ}.lora_A.weight": matrices(V_PROJ)[0]})

    with pytest.raises(WeightsInvalid, match="only one of the two matrices"):
        open_adapter(adapter)


def test_matrices_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    names = {f"{V_PROJ}.lora_A.weight": np.ones((4, 64)), f"{V_PROJ}.lora_B.weight": np.ones((64, 5))}

    with pytest.raises(WeightsInvalid, match="do not fit each other"):
        open_adapter(write_adapter(tmp_path / "adapter", names))


def test_dora_without_its_flag_is_refused(tmp_path: Path) -> None:
    down, up = matrices(V_PROJ)
    names = {
        f"{V_PROJ}.lora_A.weight": down,
        f"{V_PROJ}.lora_B.weight": up,
        f"{V_PROJ}.lora_magnitude_vector": np.ones(64),
    }

    with pytest.raises(WeightsInvalid, match="use_dora"):
        open_adapter(write_adapter(tmp_path / "adapter", names))


def test_a_pickled_adapter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80\x02")

    with pytest.raises(NotWeights, match="runs code"):
        open_adapter(tmp_path)


@pytest.mark.parametrize(
    ("module", "shape", "reason"),
    [(V_PROJ, (48, 64), "in the base"), ("model.layers.7.self_attn.v_proj", (32, 64), "is not in the base")],
)
def test_a_wrong_base_is_refused_naming_the_first_tensor(
    module: str, shape: tuple[int, int], reason: str, base: Path, tmp_path: Path
) -> None:
    down, up = matrices(module, inputs=shape[1], outputs=shape[0])
    adapter = write_adapter(tmp_path / "adapter", {f"{module}.lora_A.weight": down, f"{module}.lora_B.weight": up})

    with pytest.raises(BaseMismatch, match=reason) as refusal:
        convert(base, tmp_path / "out.gguf", adapter=adapter)

    assert refusal.value.tensor_name == f"{module}.weight"
