"""Types and blocks against llama.cpp's quantizer: recorded always, asked anew where the oracle is installed."""

import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind

from premrunner.weights.convert import convert
from premrunner.weights.ggml_library import native_quantizer
from premrunner.weights.quantize import quantize_rows_in_numpy

from .gguf_compare import differences
from .oracle import Oracle
from .quantized_models import QUANTIZED_MODELS, write_quantized_model
from .recorded import QUANTIZER_FAILS, QUANTIZER_FILE, quantize_with_llama_cpp, shortened

RECORDED = json.loads(QUANTIZER_FILE.read_text())
RANDOM = np.random.default_rng(5)
VALUES = {
    "noise": RANDOM.normal(size=(64, 512)),
    "positive": np.abs(RANDOM.normal(size=(16, 512))),
    "negative": -np.abs(RANDOM.normal(size=(16, 512))),
    "zeros": np.zeros((4, 512)),
    "constant": np.full((4, 512), 0.3),
    "tiny": RANDOM.normal(size=(16, 512)) * 1e-12,
    "outliers": RANDOM.normal(size=(32, 512)) * np.exp(RANDOM.normal(size=(32, 512)) * 4),
    "uneven groups": RANDOM.normal(size=(32, 512))
    * np.repeat(10.0 ** RANDOM.integers(-20, 3, size=(32, 32)), 16, axis=1),
}


@pytest.mark.parametrize("kind", QUANTIZED_MODELS)
def test_types_and_blocks_are_those_that_llama_quantize_recorded(kind: str, tmp_path: Path) -> None:
    folder = write_quantized_model(kind, tmp_path / kind)

    for output_type in QUANTIZED_MODELS[kind].output_types:
        made = convert(folder, tmp_path / "ours.gguf", output_type=output_type).path
        ours = shortened(made, but=("tokenizer.",))
        assert differences(ours, RECORDED[f"{kind} {output_type}"]) == {}, output_type


@pytest.mark.parametrize("kind", [kind for kind in QUANTIZED_MODELS if kind not in QUANTIZER_FAILS])
def test_types_and_blocks_are_those_of_llama_quantize_today(kind: str, oracle: Oracle, tmp_path: Path) -> None:
    if not oracle.ask("has_quantizer")["is_there"]:
        pytest.skip("cyllama, which carries llama.cpp's quantizer, has no wheel for this platform")
    folder = write_quantized_model(kind, tmp_path / kind)
    plain = convert(folder, tmp_path / "plain.gguf").path

    for output_type in QUANTIZED_MODELS[kind].output_types:
        quantize_with_llama_cpp(oracle, plain, tmp_path / "theirs.gguf", output_type)
        made = convert(folder, tmp_path / "ours.gguf", output_type=output_type).path
        assert differences(shortened(made), shortened(tmp_path / "theirs.gguf")) == {}, output_type


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("kind", [Kind.Q4_K, Kind.Q5_K, Kind.Q6_K, Kind.Q8_0, Kind.Q4_0, Kind.Q5_0, Kind.Q5_1])
def test_numpy_makes_the_same_blocks_as_ggml(kind: Kind, values: str) -> None:
    native = native_quantizer()
    if native is None:
        pytest.skip("xllamacpp, whose library has ggml's quantizer, is not installed on this platform")
    rows = VALUES[values].astype(np.float32)

    np.testing.assert_array_equal(quantize_rows_in_numpy(rows, kind), native(rows, kind))


def test_without_ggml_a_conversion_gives_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_quantized_model("untied", tmp_path / "model")
    with_ggml = convert(folder, tmp_path / "a.gguf", output_type="q4_k_m")
    monkeypatch.setattr("premrunner.weights.quantize.native_quantizer", lambda: None)

    without = convert(folder, tmp_path / "b.gguf", output_type="q4_k_m")

    assert without.sha256 == with_ggml.sha256
