"""Number formats, against numpy's own where it has them."""

import numpy as np
import pytest
from gguf import GGMLQuantizationType, quants

from premrunner.weights.errors import QuantizedCheckpoint, WeightsInvalid
from premrunner.weights.float8 import scaled
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.rows import StoredRows
from premrunner.weights.safetensors import read_header
from premrunner.weights.values import count_not_finite, to_bfloat16, to_float16, to_float32

from .safetensors_file import write_safetensors

RANDOM = np.random.default_rng(3)


def test_bfloat16_rounds_as_ggml_does() -> None:
    values = (RANDOM.normal(size=10_000) * np.exp(RANDOM.normal(size=10_000) * 10)).astype(np.float32)

    expected = quants.quantize(values.reshape(1, -1), GGMLQuantizationType.BF16)

    np.testing.assert_array_equal(to_bfloat16(values).view(np.uint8), expected.reshape(-1))


def test_every_16_bit_pattern_survives_the_way_to_float32_and_back() -> None:
    bits = np.arange(65536, dtype=np.uint16)
    finite = bits[(bits & 0x7F80) != 0x7F80]

    np.testing.assert_array_equal(to_bfloat16(to_float32(finite, "BF16")), finite)


@pytest.mark.parametrize(
    ("dtype", "greatest", "smallest"), [("F8_E4M3", 448.0, 2.0**-9), ("F8_E5M2", 57344.0, 2.0**-16)]
)
def test_8_bit_floats_have_the_values_of_their_specification(dtype: str, greatest: float, smallest: float) -> None:
    values = to_float32(np.arange(256, dtype=np.uint8), dtype)

    finite = values[np.isfinite(values)]
    assert finite.max() == greatest
    assert finite[finite > 0].min() == smallest
    np.testing.assert_array_equal(
        values[1:127][np.isfinite(values[1:127])], -values[129:255][np.isfinite(values[129:255])]
    )


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16", "F64"])
def test_nan_and_infinity_are_counted(dtype: str) -> None:
    values = np.array([1.0, np.nan, -np.inf, np.inf, 0.0, -3.0], np.float32)
    stored = (
        (values.view(np.uint32) >> 16).astype(np.uint16)
        if dtype == "BF16"
        else values.astype(f"f{int(dtype[1:]) // 8}")
    )

    assert count_not_finite(stored, dtype) == 3
    assert count_not_finite(stored[[0, 4, 5]], dtype) == 0


def test_a_value_too_large_for_float16_is_refused_and_not_made_infinite() -> None:
    with pytest.raises(WeightsInvalid, match=r"1 values of blk\.0 are too large"):
        to_float16(np.array([1.0, 70000.0], np.float32), "F32", "blk.0")


def test_bfloat16_becomes_float16_as_float32_does() -> None:
    values = RANDOM.normal(size=5000).astype(np.float32)
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)

    expected = to_float16(to_float32(bits, "BF16"), "F32", "x")

    np.testing.assert_array_equal(to_float16(bits, "BF16", "x"), expected)


@pytest.mark.parametrize(
    ("shape", "scale_shape", "block"),
    [
        ((4, 6), (1,), None),
        ((4, 6), (4, 1), None),
        ((4, 6), (2, 2), (2, 3)),
        ((5, 7), (3, 3), (2, 3)),
        ((130, 5), (2, 1), (128, 128)),
    ],
)
def test_8_bit_weights_are_multiplied_by_the_scale_of_their_block(shape, scale_shape, block, tmp_path) -> None:
    codes = RANDOM.integers(0, 120, size=shape).astype(np.uint8)
    scales = RANDOM.random(scale_shape).astype(np.float32)
    path = write_safetensors(tmp_path / "m.safetensors", {"s": ("F32", scales), "w": ("F8_E4M3", codes)})
    header, files = read_header(path), OpenFiles()

    rows = scaled(StoredRows(header["w"], files), StoredRows(header["s"], files), block)

    height, width = block or (1 if scale_shape[0] != 1 else shape[0], shape[1])
    spread = np.repeat(np.repeat(scales.reshape(scales.shape[0], -1), height, 0), width, 1)[: shape[0], : shape[1]]
    expected = to_float32(codes, "F8_E4M3") * spread
    np.testing.assert_array_equal(np.concatenate([rows.read(0, 2), rows.read(2, shape[0] - 2)]), expected)
    files.close()


def test_8_bit_weights_without_scales_are_refused(tmp_path) -> None:
    path = write_safetensors(tmp_path / "m.safetensors", {"w": ("F8_E4M3", np.ones((2, 2), np.uint8))})

    with pytest.raises(QuantizedCheckpoint, match="without scales"):
        scaled(StoredRows(read_header(path)["w"], OpenFiles()), None, None)
