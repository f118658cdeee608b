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

from premrunner.errors import StorageFailed
from premrunner.weights import foreign_converter
from premrunner.weights.convert import convert
from premrunner.weights.errors import UnsupportedArchitecture, WeightsInvalid
from premrunner.weights.inspection import inspect

from .foreign_models import install_converter, write_arcee
from .oracle import Oracle, oracle_python
from .safetensors_file import write_safetensors
from .tiny_models import write_tiny_model


@pytest.fixture
def arcee(tmp_path: Path) -> Path:
    return write_arcee(tmp_path / "model")


@pytest.fixture
def installed(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    install_converter(monkeypatch)


def test_without_the_extra_the_way_out_is_named(arcee: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_converter, "is_installed", lambda: False)

    with pytest.raises(UnsupportedArchitecture, match=r"premrunner\[llama-cpp-convert\]"):
        convert(arcee, tmp_path / "out.gguf")
    with pytest.raises(UnsupportedArchitecture, match="LlamaForCausalLM"):
        inspect(arcee)


def test_with_the_extra_what_is_known_of_the_model_is_told(arcee: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_converter, "is_installed", lambda: True)

    found = inspect(arcee)

    assert (found.converter, found.architecture, found.stored_as) == ("llama.cpp", "ArceeForCausalLM", "bf16")
    assert found.parameter_count * 2 == found.size_bytes
    assert found.context_length == json.loads((arcee / "config.json").read_text())["max_position_embeddings"]


def test_a_converter_that_is_killed_is_told_of_and_leaves_nothing(
    arcee: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(foreign_converter, "is_installed", lambda: True)
    monkeypatch.setattr("sys.executable", str(killed))
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(arcee)

    with pytest.raises(WeightsInvalid, match="too little memory"):
        convert(Path(), tmp_path / "out" / "model.gguf")

    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_not_there_is_a_storage_failure(
    arcee: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_converter, "is_installed", lambda: True)

    with pytest.raises(StorageFailed, match="could not be written"):
        convert(arcee, tmp_path / "nowhere" / "model.gguf")


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
