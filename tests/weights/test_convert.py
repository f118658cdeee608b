"""What every conversion promises, whatever the model."""

import hashlib
import json
import threading
from pathlib import Path

import gguf
import numpy as np
import pytest

from premrunner.errors import Cancelled, StorageFailed
from premrunner.weights.command_line import main
from premrunner.weights.convert import convert
from premrunner.weights.errors import BaseNotFound, ShardsIncomplete, ValuesNotFinite, WeightsInvalid
from premrunner.weights.inspection import inspect
from premrunner.weights.output_type import OUTPUT_TYPE_NAMES
from premrunner.weights.progress import Progress

from .safetensors_file import stored, write_safetensors
from .tiny_models import TINY_MODELS, random_values, write_tiny_model


def rewrite_tensors(folder: Path, change) -> None:
    """Write the model again with its float32 tensors changed."""
    model = TINY_MODELS["llama"]
    values = {name: random_values(name, shape) for name, shape in model.shapes()}
    change(values)
    write_safetensors(
        folder / "model.safetensors", {name: ("BF16", stored(array, "BF16")) for name, array in values.items()}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model("llama", tmp_path / "model")


def test_the_last_two_keys_are_those_that_ollama_wants_last(folder: Path, tmp_path: Path) -> None:
    conversion = convert(folder, tmp_path / "out.gguf", output_type="q8_0")

    names = [name for name in gguf.GGUFReader(conversion.path).fields if not name.startswith("GGUF.")]
    assert names[-2:] == ["general.quantization_version", "general.file_type"]
    assert conversion.path.read_bytes()[:8] == b"GGUF\x03\x00\x00\x00"


def test_the_digest_is_that_of_the_file(folder: Path, tmp_path: Path) -> None:
    conversion = convert(folder, tmp_path / "out.gguf")

    content = conversion.path.read_bytes()
    assert (conversion.sha256, conversion.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))


def test_the_same_inputs_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first = convert(folder, tmp_path / "a.gguf", output_type="q4_0")
    second = convert(folder, tmp_path / "b.gguf", output_type="q4_0")

    assert first.sha256 == second.sha256


def test_shards_give_the_same_bytes_as_one_file_but_for_the_lineage(tmp_path: Path) -> None:
    one = write_tiny_model("llama", tmp_path / "one" / "model")
    many = write_tiny_model("llama", tmp_path / "many" / "model", shard_count=3)

    first, second = convert(one, tmp_path / "a.gguf"), convert(many, tmp_path / "b.gguf")

    def tensors(path: Path) -> dict[str, bytes]:
        return {tensor.name: tensor.data.tobytes() for tensor in gguf.GGUFReader(path).tensors}

    assert tensors(first.path) == tensors(second.path)


def test_auto_keeps_the_type_that_the_weights_are_stored_in(tmp_path: Path) -> None:
    for dtype in ("F32", "F16", "BF16"):
        folder = write_tiny_model("llama", tmp_path / dtype, dtype=dtype)
        assert convert(folder, tmp_path / "out.gguf").output_type == dtype.lower()


def test_the_file_says_where_it_came_from(folder: Path, tmp_path: Path) -> None:
    conversion = convert(folder, tmp_path / "out.gguf", output_type="q8_0", name="My model")

    fields = gguf.GGUFReader(conversion.path).fields
    names = fields["premrunner.model.files"].contents()
    digests = dict(zip(names, fields["premrunner.model.sha256"].contents(), strict=True))
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert digests[name] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert json.loads(fields["premrunner.options"].contents()) == {"name": "My model", "output_type": "q8_0"}
    assert fields["premrunner.version"].contents()
    assert fields["general.name"].contents() == "My model"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_counted_and_nothing_is_written(
    value: float, folder: Path, tmp_path: Path
) -> None:
    rewrite_tensors(
        folder, lambda values: values["model.layers.1.mlp.up_proj.weight"].reshape(-1).__setitem__([3, 9], value)
    )
    (tmp_path / "out").mkdir()

    with pytest.raises(ValuesNotFinite) as refusal:
        convert(folder, tmp_path / "out" / "model.gguf")

    assert refusal.value.counts == {"model.layers.1.mlp.up_proj.weight": 2}
    assert list((tmp_path / "out").iterdir()) == []


def test_a_tensor_of_another_size_than_the_config_says_is_refused(folder: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    rewrite_tensors(folder, lambda values: values.__setitem__(name, values[name][:90]))

    with pytest.raises(WeightsInvalid, match=r"blk\.0\.ffn_up\.weight has the shape 90x64 where .* 96x64"):
        inspect(folder)


def test_a_missing_tensor_is_named(folder: Path) -> None:
    rewrite_tensors(folder, lambda values: values.pop("model.layers.1.self_attn.v_proj.weight"))

    with pytest.raises(ShardsIncomplete, match=r"blk\.1\.attn_v"):
        inspect(folder)


def test_a_tensor_that_the_family_does_not_have_is_named(folder: Path) -> None:
    rewrite_tensors(folder, lambda values: values.__setitem__("model.layers.0.mystery.weight", np.ones((2, 2))))

    with pytest.raises(WeightsInvalid, match=r"model\.layers\.0\.mystery\.weight is no tensor of LlamaForCausalLM"):
        inspect(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"num_attention_heads": 0},
        {"num_attention_heads": "4"},
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": -1},
        {"hidden_size": None},
        {"rope_theta": "fast"},
        {"rope_scaling": {"rope_type": "spiral", "factor": 2}},
        {"rope_scaling": {"rope_type": "llama3", "factor": 0}},
        {"vocab_size": [1]},
        {"max_position_embeddings": 2**40},
        {"architectures": []},
        {"architectures": None},
        {"rms_norm_eps": {}},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(change: dict, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))

    with pytest.raises(WeightsInvalid):
        inspect(folder)


def test_a_cancelled_conversion_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    calls = iter([False] * 12)

    with pytest.raises(Cancelled):
        convert(folder, tmp_path / "out" / "model.gguf", is_cancelled=lambda: next(calls, True))

    assert list((tmp_path / "out").iterdir()) == []


def test_a_failed_conversion_leaves_the_older_file_as_it_was(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"older")
    calls = iter([False] * 12)

    with pytest.raises(Cancelled):
        convert(folder, tmp_path / "model.gguf", is_cancelled=lambda: next(calls, True))

    assert (tmp_path / "model.gguf").read_bytes() == b"older"


def test_a_folder_that_cannot_be_written_to_is_a_storage_failure(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        convert(folder, tmp_path / "nowhere" / "model.gguf")


def test_no_thread_and_no_open_file_is_left(folder: Path, tmp_path: Path) -> None:
    convert(folder, tmp_path / "warm.gguf", output_type="q8_0")
    threads, descriptors = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    convert(folder, tmp_path / "out.gguf", output_type="q8_0")

    assert threading.active_count() == threads
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_progress_ends_at_the_whole_of_both_stages(folder: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []

    convert(folder, tmp_path / "out.gguf", progress=seen.append)

    last = {progress.stage: progress for progress in seen}
    assert list(last) == ["checking", "writing"]
    assert all(progress.done_bytes == progress.total_bytes > 0 for progress in last.values())


def test_an_adapter_alone_asks_for_its_base(lighthouse: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseNotFound) as refusal:
        convert(lighthouse, tmp_path / "out.gguf")

    assert refusal.value.base_model_name == "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_a_broken_model_card_breaks_nothing(folder: Path, tmp_path: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: [apache\ntags: {a: [}\n---\n# Model\n")

    assert convert(folder, tmp_path / "out.gguf").size_bytes


def test_a_model_card_gives_licence_and_base(folder: Path, tmp_path: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: mit\nbase_model: meta-llama/Llama-3.1-8B\n---\n")

    fields = gguf.GGUFReader(convert(folder, tmp_path / "out.gguf").path).fields

    assert fields["general.license"].contents() == "mit"
    assert fields["general.base_model.0.repo_url"].contents() == "https://huggingface.co/meta-llama/Llama-3.1-8B"


def test_the_command_converts_and_says_what_it_made(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([str(folder), "--quantize", "q8_0", "-o", str(tmp_path / "out.gguf")])

    assert status == 0
    assert "llama, 0 M parameters, q8_0" in capsys.readouterr().out
    assert (tmp_path / "out.gguf").exists()


def test_the_command_names_every_output_type_and_refuses_others(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    words = capsys.readouterr().out.replace(",", " ").replace(";", " ").split()
    assert set(OUTPUT_TYPE_NAMES) <= set(words)

    assert main([str(folder), "--quantize", "q9", "-o", str(tmp_path / "out.gguf")]) == 1
    assert "'q9' is no output type; there are: auto, f32" in capsys.readouterr().err


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main([str(tmp_path), "-o", str(tmp_path / "out.gguf")])

    assert status == 1
    assert "config.json is missing" in capsys.readouterr().err
