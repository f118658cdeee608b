"""Which files hold a model, and what is said about those that do not."""

import json
from pathlib import Path

import numpy as np
import pytest

from premrunner.weights.checkpoint import open_checkpoint
from premrunner.weights.errors import NotWeights, QuantizedCheckpoint, ShardsIncomplete, WeightsInvalid
from premrunner.weights.inspection import inspect, locate

from .safetensors_file import write_safetensors, write_sharded
from .tiny_models import write_tiny_model


def tensors(*names: str) -> dict[str, tuple[str, np.ndarray]]:
    return {name: ("F32", np.ones(2, np.float32)) for name in names}


def test_shards_are_read_in_any_order(tmp_path: Path) -> None:
    write_sharded(tmp_path, tensors("d", "a", "c", "b"), 3)

    checkpoint = open_checkpoint(tmp_path)

    assert sorted(checkpoint.tensors) == ["a", "b", "c", "d"]
    assert len(checkpoint.files) == 3


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    write_sharded(tmp_path, tensors("a", "b", "c"), 3)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()

    with pytest.raises(ShardsIncomplete) as refusal:
        open_checkpoint(tmp_path)

    assert refusal.value.missing == ("model-00002-of-00003.safetensors",)


def test_a_missing_shard_is_named_without_an_index_too(tmp_path: Path) -> None:
    write_sharded(tmp_path, tensors("a", "b", "c"), 3)
    (tmp_path / "model.safetensors.index.json").unlink()
    (tmp_path / "model-00003-of-00003.safetensors").unlink()

    with pytest.raises(ShardsIncomplete) as refusal:
        open_checkpoint(tmp_path)

    assert refusal.value.missing == ("model-00003-of-00003.safetensors",)


def test_a_shard_of_an_older_save_is_surplus(tmp_path: Path) -> None:
    write_sharded(tmp_path, tensors("a", "b"), 2)
    write_safetensors(tmp_path / "model-00003-of-00003.safetensors", tensors("z"))

    with pytest.raises(ShardsIncomplete) as refusal:
        open_checkpoint(tmp_path)

    assert refusal.value.surplus == ("model-00003-of-00003.safetensors",)


def test_a_tensor_that_the_index_promises_and_the_shard_lacks_is_named(tmp_path: Path) -> None:
    write_sharded(tmp_path, tensors("a", "b"), 2)
    write_safetensors(tmp_path / "model-00001-of-00002.safetensors", tensors("other"))

    with pytest.raises(ShardsIncomplete, match=r"model-00001-of-00002\.safetensors holds a"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "model.bin", "sub/model.safetensors"])
def test_an_index_cannot_point_out_of_its_folder(name: str, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", tensors("a"))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))

    with pytest.raises(WeightsInvalid, match="no file of this folder"):
        open_checkpoint(tmp_path)


def test_one_tensor_in_two_files_is_refused(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model-a.safetensors", tensors("a"))
    write_safetensors(tmp_path / "model-b.safetensors", tensors("a"))

    with pytest.raises(WeightsInvalid, match=r"Both model-a\.safetensors and model-b\.safetensors"):
        open_checkpoint(tmp_path)


def test_what_training_leaves_beside_the_model_is_passed_over(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", tensors("a"))
    write_safetensors(tmp_path / "optimizer.safetensors", tensors("b"))
    write_safetensors(tmp_path / "consolidated.safetensors", tensors("a"))

    assert list(open_checkpoint(tmp_path).tensors) == ["a"]


@pytest.mark.parametrize(
    ("file_name", "what"),
    [
        ("pytorch_model.bin", "runs code when it is opened"),
        ("consolidated.safetensors", "Mistral's own layout"),
        ("readme.txt", "no weights here"),
    ],
)
def test_a_folder_without_safetensors_is_told_what_it_has(file_name: str, what: str, tmp_path: Path) -> None:
    (tmp_path / file_name).write_bytes(b"something")

    with pytest.raises(NotWeights, match=what):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("model.layers.0.self_attn.q_proj.qweight", "GPTQ or AWQ"),
        ("model.layers.0.self_attn.q_proj.SCB", "bitsandbytes"),
        ("model.layers.0.self_attn.q_proj.weight.absmax", "bitsandbytes"),
        ("model.layers.0.self_attn.q_proj.weight_packed", "compressed-tensors"),
        ("model.layers.0.mlp.experts.gate_up_proj_blocks", "MXFP4"),
    ],
)
def test_a_quantized_checkpoint_is_told_what_it_is(name: str, method: str, tmp_path: Path) -> None:
    folder = write_tiny_model("llama", tmp_path / "model")
    write_safetensors(folder / "model.safetensors", {name: ("U8", np.zeros(4, np.uint8))})

    with pytest.raises(QuantizedCheckpoint, match=method):
        inspect(folder)


def test_a_checkpoint_whose_config_says_awq_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_model("llama", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "awq"}}))

    with pytest.raises(QuantizedCheckpoint, match="awq"):
        inspect(folder)


def test_a_model_that_was_merged_back_from_bitsandbytes_is_taken(tmp_path: Path) -> None:
    folder = write_tiny_model("llama", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    quantization = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": quantization}))

    assert inspect(folder).kind == "model"


def test_a_model_in_a_folder_of_a_zip_is_found(tmp_path: Path) -> None:
    folder = write_tiny_model("llama", tmp_path / "upload" / "my-model")

    assert locate(tmp_path / "upload") == folder


def test_a_folder_without_a_model_says_what_one_needs(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    with pytest.raises(NotWeights, match=r"config\.json"):
        locate(tmp_path)
