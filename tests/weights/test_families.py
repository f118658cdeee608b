"""Every family against llama.cpp's converter: recorded always, asked anew where it is installed."""

import json
from pathlib import Path

import pytest

from premrunner.weights.architectures import FAMILIES, KNOWN_ARCHITECTURES
from premrunner.weights.convert import convert
from premrunner.weights.errors import UnsupportedArchitecture
from premrunner.weights.inspection import inspect

from .gguf_compare import differences, keys_of, tensors_of
from .oracle import Oracle
from .recorded import CONVERTER_FAILS, CONVERTER_FILE, oracle_type, shortened
from .tiny_models import TINY_MODELS, write_tiny_model

CONVERTED = [kind for kind in TINY_MODELS if kind not in CONVERTER_FAILS]
# Its eye has one tensor only, which transformers would not load.
LOADED = [kind for kind in TINY_MODELS if kind != "gemma-3-seeing"]
RECORDED = json.loads(CONVERTER_FILE.read_text())


@pytest.mark.parametrize("output_type", ["auto", "q8_0"])
@pytest.mark.parametrize("kind", CONVERTED)
def test_a_family_is_converted_as_llama_cpp_recorded_it(kind: str, output_type: str, tmp_path: Path) -> None:
    folder = write_tiny_model(kind, tmp_path / kind)

    conversion = convert(folder, tmp_path / "ours.gguf", output_type=output_type)

    assert differences(shortened(conversion.path), RECORDED[f"{kind} {output_type}"]) == {}


@pytest.mark.parametrize("kind", CONVERTED)
def test_a_family_is_converted_as_llama_cpp_converts_it_today(kind: str, oracle: Oracle, tmp_path: Path) -> None:
    folder = write_tiny_model(kind, tmp_path / kind, shard_count=2)
    for output_type in ("auto", "f16", "f32"):
        theirs = oracle.convert(folder, tmp_path / "theirs.gguf", oracle_type(kind, output_type), TINY_MODELS[kind].pre)

        ours = convert(folder, tmp_path / "ours.gguf", output_type=output_type).path

        assert differences(keys_of(ours), keys_of(theirs)) == {}
        assert differences(tensors_of(ours), tensors_of(theirs)) == {}


@pytest.mark.parametrize("kind", LOADED)
def test_a_tiny_model_has_the_tensors_that_transformers_expects(kind: str, oracle: Oracle, tmp_path: Path) -> None:
    problems = oracle.ask("loading_problems", folder=str(write_tiny_model(kind, tmp_path / kind)))

    assert problems == {"missing": [], "unexpected": []}


def test_norms_of_single_heads_are_stacked(tmp_path: Path) -> None:
    # llama.cpp's converter refuses these (it loses the norms), so the shape is what llama.cpp loads.
    folder = write_tiny_model("stablelm-normed", tmp_path / "model")

    tensors = tensors_of(convert(folder, tmp_path / "ours.gguf").path)

    assert tensors["blk.0.attn_q_norm.weight"][:2] == ("F32", (16, 4))
    assert tensors["blk.1.attn_k_norm.weight"][:2] == ("F32", (16, 2))


def test_every_family_has_a_tiny_model() -> None:
    assert {model.architecture for model in TINY_MODELS.values()} >= {family.names[0] for family in FAMILIES}


def test_an_unknown_architecture_is_refused_before_the_weights_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["MambaForCausalLM"]}))

    with pytest.raises(UnsupportedArchitecture) as refusal:
        inspect(tmp_path)

    assert refusal.value.architecture == "MambaForCausalLM"
    assert all(name in str(refusal.value) for name in KNOWN_ARCHITECTURES)
    assert "pip install premrunner[llama-cpp-convert]" in str(refusal.value)
