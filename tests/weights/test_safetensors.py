"""The header reader against wrong and hostile files."""

import json
from pathlib import Path

import numpy as np
import pytest

from premrunner.weights.errors import NotWeights, WeightsInvalid
from premrunner.weights.safetensors import MAX_HEADER_BYTES, read_header

from .safetensors_file import write_safetensors


def write_raw(path: Path, header: object, data: bytes = b"", *, length: int | None = None) -> Path:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(encoded) if length is None else length).to_bytes(8, "little") + encoded + data)
    return path


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_tensors_are_found_where_they_lie(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = write_safetensors(tmp_path / "m.safetensors", {"b": ("F32", values), "a": ("F16", np.ones(3, np.float16))})

    header = read_header(path)

    assert list(header) == ["a", "b"]
    assert header["b"].shape == (2, 3)
    start = header["b"].offset_bytes
    assert path.read_bytes()[start : start + 24] == values.tobytes()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 42\n", "Git-LFS pointer"),
        (b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>", "web page"),
        (b"\n  <html>Access denied, please log in first</html>", "web page"),
        (b"PK\x03\x04" + bytes(100), "ZIP"),
        (b"\x80\x02}q\x00." + bytes(100), "pickle"),
        (b"GGUF" + bytes(100), "GGUF file"),
        (b'{"a": 1, "b": 2}', "plain JSON"),
        (b"", "0 bytes"),
        (bytes(9), "9 bytes"),
        (b"\xff" * 64, "not a safetensors file"),
        (bytes(7) + b"\x80" + bytes(64), "not a safetensors file"),
    ],
)
def test_what_is_no_safetensors_file_is_told_what_it_is(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)

    with pytest.raises(NotWeights, match=what):
        read_header(path)


@pytest.mark.parametrize(
    ("header", "data", "reason"),
    [
        (b"[1, 2]  ", b"", "JSON object"),
        (b'{"a": }', b"", "not JSON"),
        (b'{"a": ' + b"[" * 5000, b"", "not JSON"),
        ({"a": 5}, b"", "no description"),
        ({"a": {}}, b"", "unknown dtype"),
        ({"a": entry("F12")}, bytes(8), "unknown dtype"),
        ({"a": entry(["F32"])}, bytes(8), "unknown dtype"),
        ({"a": entry(shape=None)}, bytes(8), "impossible shape"),
        ({"a": entry(shape=[-2])}, bytes(8), "impossible shape"),
        ({"a": entry(shape=[2.0])}, bytes(8), "impossible shape"),
        ({"a": entry(shape=[True])}, bytes(8), "impossible shape"),
        ({"a": entry(shape=[1] * 99)}, bytes(8), "impossible shape"),
        ({"a": entry(offsets=[8, 0])}, bytes(8), "impossible offsets"),
        ({"a": entry(offsets=[0])}, bytes(8), "impossible offsets"),
        ({"a": entry(offsets=[-8, 0])}, bytes(8), "impossible offsets"),
        ({"a": entry(offsets=[0, 2**60])}, bytes(8), "impossible offsets"),
        ({"a": entry(offsets=[0, 4])}, bytes(8), "its shape needs 8"),
        ({"a": entry(shape=[2**40, 2**40], offsets=[0, 8])}, bytes(8), "its shape needs"),
        ({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12), "overlaps"),
        ({"a": entry(), "b": entry(offsets=[12, 20])}, bytes(20), "gap"),
        ({"a": entry()}, bytes(4), "cut off"),
        ({"a": entry()}, bytes(12), "more than its header"),
        ({"": entry()}, bytes(8), "impossible name"),
        ({"a\x00b": entry()}, bytes(8), "impossible name"),
        ({"a" * 600: entry()}, bytes(8), "impossible name"),
    ],
)
def test_a_damaged_header_is_refused_with_its_reason(header: object, data: bytes, reason: str, tmp_path: Path) -> None:
    path = write_raw(tmp_path / "model.safetensors", header, data)

    with pytest.raises(WeightsInvalid, match=reason) as refusal:
        read_header(path)

    assert refusal.value.file_name == "model.safetensors"
    assert str(tmp_path) not in str(refusal.value)


def test_a_header_longer_than_the_file_is_a_cut_off_upload(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "model.safetensors", {"a": entry()}, length=100_000)

    with pytest.raises(WeightsInvalid, match="cut off"):
        read_header(path)


def test_a_header_of_more_than_any_model_needs_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write((MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b"{")
        file.truncate(MAX_HEADER_BYTES * 2)

    with pytest.raises(NotWeights, match="its header would have"):
        read_header(path)


@pytest.mark.parametrize("length", [0x280, 0x23C, 0x27B])
def test_a_length_that_begins_like_a_pickle_or_a_page_is_a_length(length: int, tmp_path: Path) -> None:
    header = json.dumps({"a": entry()}).encode()
    path = write_raw(tmp_path / "model.safetensors", header + b" " * (length - len(header)), bytes(8))

    assert read_header(path)["a"].offset_bytes == 8 + length
