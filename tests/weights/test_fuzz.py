"""Whatever the files hold: an answer or a refusal, soon, and no more memory than they are worth."""

import copy
import json
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from premrunner.weights.adapter import open_adapter
from premrunner.weights.convert import convert
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.gguf_file import read_gguf
from premrunner.weights.gguf_parser import read_header as read_gguf_header
from premrunner.weights.inspection import inspect
from premrunner.weights.safetensors import read_header
from premrunner.weights.tokenizers.sentencepiece import read_pieces

from .adapters import matrices, write_adapter
from .safetensors_file import write_safetensors
from .tiny_models import write_tiny_model
from .tiny_tokenizers import byte_fallback, sentencepiece_model, unigram

# The same few in every run; many, and others each time, on demand.
EXAMPLES = int(os.environ.get("PREMRUNNER_FUZZ_EXAMPLES", "25"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None if EXAMPLES > 100 else 5000,
    derandomize=EXAMPLES <= 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# Parsed JSON takes twenty times its size; all files here are a few kB.
MAX_MEMORY_BYTES = 20_000_000

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.lists(st.integers(-2, 5), max_size=3),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)
CUTS = st.tuples(st.integers(0, 10**6), st.binary(max_size=12), st.integers(0, 30))


def mutated(content: bytes, changes: list[tuple[int, bytes, int]]) -> bytes:
    """Overwrite, insert and cut at some places."""
    for place, replacement, removed in changes:
        place %= len(content) + 1
        content = content[:place] + replacement + content[place + removed :]
    return content


def refuses_or_succeeds(action: Callable[[], object]) -> None:
    """Run something; anything but a result or ``WeightsInvalid`` fails, and so does a large use of memory."""
    tracemalloc.start()
    try:
        action()
    except WeightsInvalid:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MAX_MEMORY_BYTES


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Give the way to every value inside a JSON document, vocabularies left out."""
    found = [path] if path else []
    if isinstance(value, dict) and len(value) < 60:
        found += [place for key in value for place in places(value[key], (*path, key))]
    elif isinstance(value, list):
        found += [place for number in range(min(3, len(value))) for place in places(value[number], (*path, number))]
    return found


def with_junk(document: dict, draw: st.DataObject) -> dict:
    """Put junk into one to three places of a document."""
    document = copy.deepcopy(document)
    for _ in range(draw.draw(st.integers(1, 3))):
        way = draw.draw(st.sampled_from(places(document)))
        target = document
        for step in way[:-1]:
            target = target[step]
        target[way[-1]] = draw.draw(JUNK)
    return document


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model("llama-3.1", tmp_path_factory.mktemp("fuzz") / "model")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    module = "model.layers.0.self_attn.v_proj"
    down, up = matrices(module, outputs=32)
    names = {f"base_model.model.{module}.lora_A.weight": down, f"base_model.model.{module}.lora_B.weight": up}
    return write_adapter(tmp_path_factory.mktemp("fuzz") / "adapter", names)


@FUZZ
@given(content=st.binary(max_size=300))
def test_any_bytes_as_safetensors(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)

    refuses_or_succeeds(lambda: read_header(path))


@FUZZ
@given(changes=st.lists(CUTS, min_size=1, max_size=4))
def test_a_mutated_safetensors_file(changes: list, tmp_path: Path) -> None:
    path = write_safetensors(
        tmp_path / "model.safetensors", {"a": ("F32", np.ones(3, np.float32)), "b": ("U8", np.ones(2, np.uint8))}
    )
    path.write_bytes(mutated(path.read_bytes(), changes))

    refuses_or_succeeds(lambda: read_header(path))


@FUZZ
@given(draw=st.data())
def test_junk_in_a_safetensors_header(draw: st.DataObject, tmp_path: Path) -> None:
    header = {
        "a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]},
        "b": {"dtype": "U8", "shape": [2], "data_offsets": [12, 14]},
    }
    encoded = json.dumps(with_junk(header, draw)).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + bytes(14))

    refuses_or_succeeds(lambda: read_header(path))


@pytest.mark.parametrize("file_name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@FUZZ
@given(draw=st.data())
def test_junk_in_a_models_text_files(file_name: str, draw: st.DataObject, model: Path, tmp_path: Path) -> None:
    original = model / file_name
    folder = tmp_path / "model"
    shutil.copytree(model, folder, dirs_exist_ok=True)
    (folder / file_name).write_text(json.dumps(with_junk(json.loads(original.read_text()), draw)))

    refuses_or_succeeds(lambda: convert(folder, tmp_path / "out.gguf"))


@pytest.mark.parametrize("tokenizer", [byte_fallback(), unigram()], ids=["byte fallback", "unigram"])
@FUZZ
@given(draw=st.data())
def test_junk_in_other_tokenizers(tokenizer: dict, draw: st.DataObject, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder, dirs_exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(with_junk(tokenizer, draw)))

    refuses_or_succeeds(lambda: inspect(folder))


@FUZZ
@given(changes=st.lists(CUTS, min_size=1, max_size=4))
def test_a_mutated_sentencepiece_model(changes: list) -> None:
    content = mutated(sentencepiece_model(), changes)

    refuses_or_succeeds(lambda: list(read_pieces(content)))


@FUZZ
@given(changes=st.lists(CUTS, min_size=1, max_size=4))
def test_a_mutated_gguf_file(changes: list, model: Path, tmp_path: Path) -> None:
    original = tmp_path / "original.gguf"
    if not original.exists():
        convert(model, original, output_type="q8_0")
    path = tmp_path / "mutated.gguf"
    # The header is the first 20 kB; the rest are values.
    content = original.read_bytes()
    path.write_bytes(mutated(content[:20_000], changes) + content[20_000:])

    refuses_or_succeeds(lambda: read_gguf(path))
    refuses_or_succeeds(lambda: read_gguf_header(path))


@FUZZ
@given(changes=st.lists(CUTS, min_size=1, max_size=3))
def test_a_mutated_gguf_file_as_a_base(changes: list, model: Path, adapter: Path, tmp_path: Path) -> None:
    original = tmp_path / "original.gguf"
    if not original.exists():
        convert(model, original, output_type="q4_0")
    path = tmp_path / "mutated.gguf"
    content = original.read_bytes()
    path.write_bytes(mutated(content[:20_000], changes) + content[20_000:])

    refuses_or_succeeds(lambda: convert(path, tmp_path / "out.gguf", adapter=adapter, output_type="q8_0"))


@pytest.mark.parametrize("file_name", ["model.safetensors", "tokenizer.json", "config.json"])
@FUZZ
@given(changes=st.lists(CUTS, min_size=1, max_size=3))
def test_mutated_bytes_in_a_models_files(file_name: str, changes: list, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder, dirs_exist_ok=True)
    content = (model / file_name).read_bytes()
    (folder / file_name).write_bytes(mutated(content[:8000], changes) + content[8000:])

    refuses_or_succeeds(lambda: convert(folder, tmp_path / "out.gguf", output_type="q8_0"))


@FUZZ
@given(changes=st.lists(CUTS, min_size=1, max_size=3))
def test_mutated_bytes_in_an_adapter(changes: list, model: Path, adapter: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(adapter, folder, dirs_exist_ok=True)
    content = (adapter / "adapter_model.safetensors").read_bytes()
    (folder / "adapter_model.safetensors").write_bytes(mutated(content[:1000], changes) + content[1000:])

    refuses_or_succeeds(lambda: convert(model, tmp_path / "out.gguf", adapter=folder))


@FUZZ
@given(draw=st.data())
def test_junk_in_an_adapters_config(draw: st.DataObject, model: Path, tmp_path: Path) -> None:
    module = "model.layers.0.self_attn.v_proj"
    down, up = matrices(module, outputs=32)
    names = {f"base_model.model.{module}.lora_A.weight": down, f"base_model.model.{module}.lora_B.weight": up}
    adapter = write_adapter(
        tmp_path / "adapter", names, rank_pattern={}, alpha_pattern={"q_proj": 3}, modules_to_save=["x"]
    )
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(with_junk(config, draw)))

    refuses_or_succeeds(lambda: (open_adapter(adapter), convert(model, tmp_path / "out.gguf", adapter=adapter)))


@FUZZ
@given(
    lines=st.lists(
        st.sampled_from(
            [
                "license: mit",
                "tags: [a, 1, {b: c}]",
                "base_model: [1, x/y, null]",
                "language: no",
                "name: {a: b}",
                "datasets: 5",
                "- x",
                "&a [*a]",
                "version: 1.5",
                "author: [a]",
            ]
        ),
        max_size=6,
    )
)
def test_junk_in_a_model_card(lines: list[str], model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder, dirs_exist_ok=True)
    (folder / "README.md").write_text("---\n" + "\n".join(lines) + "\n---\n")

    convert(folder, tmp_path / "out.gguf")
