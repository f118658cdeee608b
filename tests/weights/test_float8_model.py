"""A whole model in 8-bit floats with scales by block, as Qwen's and DeepSeek's fp8 releases are."""

import json
from pathlib import Path

import numpy as np
import pytest

from premrunner.weights.convert import convert
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.rows import StoredRows
from premrunner.weights.safetensors import read_header
from premrunner.weights.values import to_float32

from .gguf_compare import differences, keys_of, tensors_of
from .oracle import Oracle
from .safetensors_file import write_safetensors
from .tiny_models import TINY_MODELS, write_tiny_model

BLOCK = (16, 32)
RANDOM = np.random.default_rng(8)


def matrices_of(folder: Path) -> dict[str, np.ndarray]:
    """Give a model's tensors as float32."""
    files = OpenFiles()
    rows = {name: StoredRows(tensor, files) for name, tensor in read_header(folder / "model.safetensors").items()}
    values = {
        name: to_float32(row.read(0, row.row_count), row.dtype).reshape(row.tensor.shape) for name, row in rows.items()
    }
    files.close()
    return values


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    """A model whose layers are 8-bit codes with scales, and the same with the products in float32."""
    packed = write_tiny_model("qwen3", tmp_path / "packed")
    wide = write_tiny_model("qwen3", tmp_path / "wide")
    stored, products = {}, {}
    for name, values in matrices_of(packed).items():
        products[name] = stored[name] = ("F32", values)
        if "proj" in name:
            codes = RANDOM.integers(0, 120, size=values.shape).astype(np.uint8)
            blocks = tuple(-(-length // size) for length, size in zip(values.shape, BLOCK, strict=True))
            scales = (RANDOM.random(blocks) + 0.5).astype(np.float32) * np.float32(0.01)
            spread = np.repeat(np.repeat(scales, BLOCK[0], 0), BLOCK[1], 1)[: values.shape[0], : values.shape[1]]
            stored[name], stored[f"{name}_scale_inv"] = ("F8_E4M3", codes), ("F32", scales)
            products[name] = ("F32", to_float32(codes, "F8_E4M3") * spread)
    write_safetensors(packed / "model.safetensors", stored)
    write_safetensors(wide / "model.safetensors", products)
    config = json.loads((packed / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "weight_block_size": list(BLOCK)}
    (packed / "config.json").write_text(json.dumps(config))
    return packed, wide


@pytest.mark.parametrize("output_type", ["f32", "f16", "bf16", "q8_0"])
def test_codes_and_scales_become_the_bytes_that_their_products_become(models, output_type, tmp_path) -> None:
    packed, wide = (
        convert(folder, tmp_path / f"{folder.name}.gguf", output_type=output_type).path for folder in models
    )

    assert differences(tensors_of(packed), tensors_of(wide)) == {}


def test_it_is_converted_as_llama_cpp_converts_it_today(models, oracle: Oracle, tmp_path) -> None:
    theirs = oracle.convert(models[0], tmp_path / "theirs.gguf", "f32", TINY_MODELS["qwen3"].pre)

    ours = convert(models[0], tmp_path / "ours.gguf", output_type="f32").path

    assert differences(keys_of(ours), keys_of(theirs)) == {}
    assert differences(tensors_of(ours), tensors_of(theirs)) == {}
