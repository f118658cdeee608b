"""The header's reader: what it reads, and that nothing a stranger writes hurts it."""

import struct
import tracemalloc
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from premrunner.builtin.gguf_header import read_header
from premrunner.builtin.refusals import Refusal
from premrunner.weights.gguf_header import GgufArray
from premrunner.weights.gguf_types import FILE_TYPES, TENSOR_TYPES

MAGIC = b"GGUF"


def write_gguf(path: Path, architecture: str = "llama", **strings: str) -> Path:
    """Write a GGUF of a few hundred bytes with two tensors."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in strings.items():
        writer.add_string(key.replace("__", "."), value)
    writer.add_uint32(f"{architecture}.block_count", 2)
    writer.add_array("tokenizer.ggml.tokens", [f"token {number}" for number in range(2000)])
    writer.add_array("short", [1, 2, 3])
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), dtype=np.float32))
    writer.add_tensor("output.weight", np.ones((2, 32), dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> bytes:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "small.gguf").read_bytes()


def read_bytes(folder: Path, content: bytes):
    path = folder / "some.gguf"
    path.write_bytes(content)
    return read_header(path)


def test_a_header_is_read_as_it_was_written(tmp_path):
    header = read_header(write_gguf(tmp_path / "a.gguf", general__name="Sea"))
    assert header.architecture == "llama"
    assert header.text("general.name") == "Sea"
    assert header.number(".block_count") == 2
    assert header.metadata["short"] == GgufArray(3, (1, 2, 3))
    assert header.metadata["tokenizer.ggml.tokens"] == GgufArray(2000, None)
    assert [(tensor.name, tensor.type_name, tensor.shape) for tensor in header.tensors] == [
        ("token_embd.weight", "F32", (32, 4)),
        ("output.weight", "F16", (32, 2)),
    ]
    assert header.parameter_count == 32 * 6


def test_the_real_model_is_what_it_says(starter_gguf):
    header = read_header(starter_gguf)
    assert header.parameter_count == 134_515_008
    assert header.quantization == "Q4_1"
    assert len(header.tensors) == 272
    assert header.tensors[-1].offset_bytes + header.tensors[-1].size_bytes <= starter_gguf.stat().st_size


def test_long_arrays_are_kept_on_request(tmp_path):
    header = read_header(write_gguf(tmp_path / "a.gguf"), longest_kept_array=2000)
    tokens = header.metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, GgufArray)
    assert tokens.values is not None
    assert tokens.values[1999] == "token 1999"


@pytest.mark.parametrize(
    ("strings", "architecture", "is_projector", "is_adapter"),
    [
        ({}, "llama", False, False),
        ({"general__type": "mmproj"}, "clip", True, False),
        ({"general__type": "projector"}, "clip", True, False),
        ({"general__type": "adapter"}, "llama", False, True),
    ],
)
def test_kinds_are_told_by_content(tmp_path, strings, architecture, is_projector, is_adapter):
    header = read_header(write_gguf(tmp_path / "a.gguf", architecture, **strings))
    assert header.is_projector is is_projector
    assert header.is_adapter is is_adapter


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04 a zip", b"version https://git-lfs.github.com/spec/v1\n"])
def test_what_is_no_gguf_is_refused_as_such(tmp_path, content):
    with pytest.raises(Refusal, match="supplied file was not in GGUF format") as refusal:
        read_bytes(tmp_path, content)
    assert refusal.value.status == 400


def test_every_truncation_is_noticed(tmp_path, small):
    for length in [*range(4, 200), len(small) - 1]:
        with pytest.raises(Refusal):
            read_bytes(tmp_path, small[:length])


def counts(tensors: int, keys: int) -> bytes:
    return MAGIC + struct.pack("<IQQ", 3, tensors, keys)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (MAGIC + struct.pack("<I", 1) + bytes(100), "unsupported GGUF version 1"),
        (MAGIC + struct.pack(">I", 3) + bytes(100), "unsupported GGUF version"),
        (counts(2**63, 0) + bytes(100), "tensor count 9223372036854775808"),
        (counts(0, 2**60) + bytes(100), "key count 1152921504606846976"),
        (counts(0, 1) + struct.pack("<Q", 2**64 - 1) + bytes(100), "exceeds maximum 9223372036854775807"),
        (counts(0, 1) + struct.pack("<Q", 2**40) + bytes(100), "unexpected EOF"),
        (counts(0, 1) + struct.pack("<Q1sI", 1, b"k", 77) + bytes(100), "unknown type 77"),
        (counts(0, 1) + struct.pack("<Q1sIIQ", 1, b"k", 9, 8, 2**61) + bytes(100), 'array "k" count'),
        (counts(0, 1) + struct.pack("<Q1sIIQ", 1, b"k", 9, 9, 1) + bytes(100), "array of the unknown type 9"),
        (counts(0, 1) + struct.pack("<Q2sI", 2, b"\xff\xfe", 4) + bytes(100), "not UTF-8"),
        (counts(1, 0) + struct.pack("<Q1sIQIQ", 1, b"t", 1, 2**62, 0, 0) + bytes(100), "exceeds file size"),
        (counts(1, 0) + struct.pack("<Q1sIQIQ", 1, b"t", 1, 0, 0, 0) + bytes(100), "impossible shape"),
        (counts(1, 0) + struct.pack("<Q1sIQIQ", 1, b"t", 1, 5, 2, 0) + bytes(100), "impossible shape"),
        (counts(1, 0) + struct.pack("<Q1sIQIQ", 1, b"t", 1, 8, 999, 0) + bytes(100), "unknown type 999"),
        (counts(1, 0) + struct.pack("<Q1sIQIQ", 1, b"t", 1, 8, 0, 1) + bytes(200), "misaligned"),
        (counts(1, 0) + struct.pack("<Q1sI", 1, b"t", 9) + bytes(100), "9 dimensions"),
    ],
)
def test_a_hostile_header_is_refused_and_costs_no_memory(tmp_path, content, text):
    tracemalloc.start()
    try:
        with pytest.raises(Refusal) as refusal:
            read_bytes(tmp_path, content)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert text in refusal.value.message
    assert peak_bytes < 1_000_000


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bytes_end_in_a_header_or_a_refusal(tmp_path, small, data):
    content = bytearray(small)
    for _ in range(data.draw(st.integers(1, 4))):
        # The first bytes hold the counts and lengths; the vocabulary behind them is less of a target.
        at = data.draw(st.integers(4, 160) | st.integers(4, len(small) - 1))
        content[at] = data.draw(st.integers(0, 255))
    try:
        header = read_bytes(tmp_path, bytes(content))
    except Refusal:
        return
    assert all(tensor.offset_bytes + tensor.size_bytes <= len(content) for tensor in header.tensors)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rest=st.binary(max_size=400))
def test_any_bytes_end_in_a_header_or_a_refusal(tmp_path, rest):
    try:
        read_bytes(tmp_path, MAGIC + struct.pack("<I", 3) + rest)
    except Refusal:
        return


def test_the_numbers_of_types_are_those_of_the_format():
    assert {number: (kind.block_elements, kind.block_bytes) for number, kind in TENSOR_TYPES.items()} == {
        int(number): sizes for number, sizes in gguf.GGML_QUANT_SIZES.items()
    }
    assert set(FILE_TYPES) == {int(kind) for kind in gguf.LlamaFileType} - {int(gguf.LlamaFileType.GUESSED)}
