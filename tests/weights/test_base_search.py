"""Finding the model that an adapter was trained on."""

import shutil
from pathlib import Path

import pytest

from premrunner.weights.adapter import Adapter, open_adapter
from premrunner.weights.base_search import BaseCandidate, base_names, download_base, find_base
from premrunner.weights.convert import convert
from premrunner.weights.errors import BaseMismatch, BaseNotFound, BaseUnusable

from .adapters import matrices, write_adapter
from .tiny_models import write_tiny_model

MODULE = "model.layers.0.self_attn.v_proj"


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    down, up = matrices(MODULE, outputs=32)
    names = {f"base_model.model.{MODULE}.lora_A.weight": down, f"base_model.model.{MODULE}.lora_B.weight": up}
    return open_adapter(write_adapter(tmp_path / "adapter", names))


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("org/model", ("org/model", "model")),
        ("model", ("model",)),
        ("/home/me/models/My-Model/", ("models/My-Model", "My-Model")),
        (r"C:\models\My-Model", ("models/My-Model", "My-Model")),
        ("/root/.cache/huggingface/hub/models--org--model/snapshots/0a1b", ("org/model", "model")),
        (
            "unsloth/Llama-3.2-1B-unsloth-bnb-4bit",
            (
                "unsloth/Llama-3.2-1B-unsloth-bnb-4bit",
                "Llama-3.2-1B-unsloth-bnb-4bit",
                "unsloth/Llama-3.2-1B",
                "Llama-3.2-1B",
            ),
        ),
    ],
)
def test_a_base_goes_by_several_names(written: str, names: tuple[str, ...]) -> None:
    assert base_names(written) == names


def test_the_base_of_that_name_is_found_and_proven(adapter: Adapter, tmp_path: Path) -> None:
    fitting = BaseCandidate(write_tiny_model("llama", tmp_path / "a"), ("ORG/Tiny",))
    other = BaseCandidate(write_tiny_model("qwen3", tmp_path / "b"), ("other/model",))

    assert find_base(adapter, [other, fitting]) is fitting


def test_an_exact_name_goes_before_one_that_only_ends_so(adapter: Adapter, tmp_path: Path) -> None:
    loose = BaseCandidate(write_tiny_model("llama", tmp_path / "a"), ("tiny",))
    exact = BaseCandidate(write_tiny_model("llama", tmp_path / "b"), ("org/tiny",))

    assert find_base(adapter, [loose, exact]) is exact


def test_a_model_of_that_name_that_does_not_fit_is_refused(adapter: Adapter, tmp_path: Path) -> None:
    wrong = BaseCandidate(write_tiny_model("qwen3", tmp_path / "a"), ("org/tiny",))

    with pytest.raises(BaseMismatch) as refusal:
        find_base(adapter, [wrong])

    assert refusal.value.tensor_name == f"{MODULE}.weight"


def test_a_damaged_base_is_refused_and_a_sound_one_of_the_same_name_is_taken(adapter: Adapter, tmp_path: Path) -> None:
    damaged = BaseCandidate(write_tiny_model("llama", tmp_path / "a"), ("org/tiny",))
    sound = BaseCandidate(write_tiny_model("llama", tmp_path / "b"), ("org/tiny",))
    (damaged.path / "model.safetensors").write_bytes(b"cut off")

    assert find_base(adapter, [damaged, sound]) is sound
    with pytest.raises(BaseUnusable, match=r"org/tiny.*model\.safetensors"):
        find_base(adapter, [damaged])


def test_a_gguf_file_can_be_the_base(adapter: Adapter, tmp_path: Path) -> None:
    gguf = convert(write_tiny_model("llama", tmp_path / "a"), tmp_path / "base.gguf", output_type="q8_0").path

    assert find_base(adapter, [BaseCandidate(gguf, ("tiny",))]).path == gguf


def test_without_a_candidate_the_base_is_asked_for_by_name(adapter: Adapter) -> None:
    with pytest.raises(BaseNotFound, match="org/tiny"):
        find_base(adapter, [])


def test_a_base_is_downloaded_file_by_file(adapter: Adapter, tmp_path: Path) -> None:
    source = write_tiny_model("llama", tmp_path / "source", shard_count=2)
    asked = []

    def fetch(url: str, path: Path) -> bool:
        asked.append(url)
        name = url.rpartition("/")[2]
        return bool((source / name).exists() and shutil.copy(source / name, path))

    folder = download_base("https://hub.example/{id}/{file}", "org/tiny", tmp_path / "cache" / "tiny", fetch)

    assert asked[0] == "https://hub.example/org/tiny/config.json"
    assert find_base(adapter, [BaseCandidate(folder, ("org/tiny",))]).path == folder


@pytest.mark.parametrize("name", ["../../etc", "org/..", "a/b/c", "org/model?x=1", "http://evil/x", "model"])
def test_only_a_hub_id_is_downloaded(name: str, tmp_path: Path) -> None:
    with pytest.raises(BaseNotFound):
        download_base("https://hub.example/{id}/{file}", name, tmp_path / "x", lambda url, path: True)
