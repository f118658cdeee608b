"""Architectures that only llama.cpp's own converter knows."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest

from premrunner.weights import foreign_converter
from premrunner.weights.convert import convert
from premrunner.weights.errors import UnsupportedArchitecture, WeightsInvalid

from .oracle import Oracle, oracle_python
from .safetensors_file import stored, write_safetensors
from .tiny_models import TINY_MODELS, random_values, write_tiny_model


@pytest.fixture
def arcee(tmp_path: Path) -> Path:
    """A model of a family that is not described here: Llama without gates."""
    folder = write_tiny_model("llama-sentencepiece", tmp_path / "model")
    shapes = dict(TINY_MODELS["llama"].shapes())
    write_safetensors(
        folder / "model.safetensors",
        {
            name: ("BF16", stored(random_values(name, shape), "BF16"))
            for name, shape in shapes.items()
            if "gate" not in name
        },
    )
    config = json.loads((folder / "config.json").read_text())
    arcee = config | {"architectures": ["ArceeForCausalLM"], "model_type": "arcee", "hidden_act": "relu2"}
    (folder / "config.json").write_text(json.dumps(arcee))
    return folder


@pytest.fixture
def installed(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_converter, "is_installed", lambda: True)
    monkeypatch.setattr("sys.executable", oracle_python())


def test_without_the_extra_the_way_out_is_named(arcee: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_converter, "is_installed", lambda: False)

    with pytest.raises(UnsupportedArchitecture, match=r"premrunner\[llama-cpp-convert\]"):
        convert(arcee, tmp_path / "out.gguf")


def test_with_the_extra_llama_cpp_converts_and_we_quantize(arcee: Path, installed: None, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    conversion = convert(arcee, tmp_path / "out" / "model.gguf", output_type="q8_0")

    reader = gguf.GGUFReader(conversion.path)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert (kinds["blk.0.ffn_up.weight"], kinds["blk.0.attn_norm.weight"]) == ("Q8_0", "F32")
    assert list(reader.fields)[-2:] == ["general.quantization_version", "general.file_type"]
    assert "llama.cpp" in reader.fields["premrunner.options"].contents()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.gguf"]


def test_either_gguf_package_serves_both(oracle: Oracle, tmp_path: Path) -> None:
    """The extra brings a ``gguf`` of its own into the same folder; which one stays depends on pip's order."""
    source = write_tiny_model("llama-sentencepiece", tmp_path / "model")
    ours, theirs = convert(source, tmp_path / "ours.gguf", output_type="q8_0"), tmp_path / "theirs.gguf"
    find = [oracle_python(), "-c", "import gguf; print(gguf.__path__[0])"]
    theirs_gguf = subprocess.run(find, check=True, capture_output=True, text=True).stdout.strip()
    for name, path in (("ours", gguf.__path__[0]), ("theirs", theirs_gguf)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "gguf").symlink_to(path)

    command = [sys.executable, "-m", "premrunner.weights", str(source), "--quantize", "q8_0", "-o", str(theirs)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(tmp_path / "theirs")})
    command = [oracle_python(), "-m", "convert_hf_to_gguf", str(source), "--outfile", str(tmp_path / "converted.gguf")]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(tmp_path / "ours")})

    assert hashlib.sha256(theirs.read_bytes()).hexdigest() == ours.sha256
    assert (tmp_path / "converted.gguf").exists()


def test_what_llama_cpp_refuses_is_refused_with_its_reason(arcee: Path, installed: None, tmp_path: Path) -> None:
    write_safetensors(arcee / "model.safetensors", {"mystery.weight": ("F32", np.ones((2, 2), np.float32))})

    with pytest.raises(WeightsInvalid, match=r"llama\.cpp's converter refused"):
        convert(arcee, tmp_path / "out.gguf")
