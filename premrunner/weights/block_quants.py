"""llama.cpp's K-quants in numpy: blocks of 256 values whose scales are themselves quantized.

For machines without ggml's library; bit-identical to it, because every float32 operation is done in the order of the
reference (``quantize_row_q4_K_ref`` and its kin in ggml/src/ggml-quants.c), vectorised over blocks, not within them.
The other types (Q4_0, Q5_0, Q5_1, Q8_0) come from the gguf package.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType

from premrunner.weights.values import Float32

Blocks = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int32]

BLOCK = 256
_EPSILON = np.float32(1e-15)  # GROUP_MAX_EPS: a group below this is all zeros.


def quantize_q4_k(values: Float32) -> Blocks:
    """Quantize to Q4_K: shape (blocks, 256) to (blocks, 144)."""
    levels, packed, head = _affine_blocks(values, top=15, steps=20, start=-1.0)
    pairs = levels.reshape(-1, 4, 2, 32)
    nibbles = pairs[:, :, 0] | (pairs[:, :, 1] << 4)
    return np.concatenate([head, packed, nibbles.reshape(-1, 128).astype(np.uint8)], axis=1)


def quantize_q5_k(values: Float32) -> Blocks:
    """Quantize to Q5_K: shape (blocks, 256) to (blocks, 176)."""
    levels, packed, head = _affine_blocks(values, top=31, steps=15, start=-0.5)
    pairs = (levels & 15).reshape(-1, 4, 2, 32)
    nibbles = pairs[:, :, 0] | (pairs[:, :, 1] << 4)
    bits = (levels.reshape(-1, 8, 32) >> 4) << np.arange(8, dtype=np.int32).reshape(8, 1)
    return np.concatenate(
        [head, packed, bits.sum(axis=1).astype(np.uint8), nibbles.reshape(-1, 128).astype(np.uint8)], axis=1
    )


def quantize_q6_k(values: Float32) -> Blocks:
    """Quantize to Q6_K: shape (blocks, 256) to (blocks, 210)."""
    groups = values.reshape(-1, 16)
    scales, levels = _symmetric_groups(np.ascontiguousarray(groups.T))
    scales = scales.reshape(-1, 16)
    greatest = np.take_along_axis(scales, np.abs(scales).argmax(axis=1)[:, None], axis=1)
    with np.errstate(all="ignore"):
        inverse = np.float32(-128) / greatest
        delta = (np.float32(1) / inverse).astype(np.float16)
        steps = np.minimum(127, _nearest(inverse * scales))
        divisors = (delta.astype(np.float32) * steps.astype(np.float32)).reshape(-1, 1)
        refined = np.clip(_nearest(groups / divisors), -32, 31) + 32
    levels = np.where(divisors == 0, levels.T, refined).reshape(-1, 2, 4, 32)
    low = levels & 15
    nibbles = np.stack([low[:, :, 0] | (low[:, :, 2] << 4), low[:, :, 1] | (low[:, :, 3] << 4)], axis=2)
    high = ((levels >> 4) << np.array([0, 2, 4, 6], np.int32).reshape(4, 1)).sum(axis=2)
    parts = [nibbles.reshape(-1, 128).astype(np.uint8), high.reshape(-1, 64).astype(np.uint8)]
    blocks = np.concatenate([*parts, steps.astype(np.int8).view(np.uint8), delta.view(np.uint8)], axis=1)
    blocks[np.abs(greatest[:, 0]) < _EPSILON] = 0
    return blocks


K_QUANTIZERS: dict[GGMLQuantizationType, Callable[[Float32], Blocks]] = {
    GGMLQuantizationType.Q4_K: quantize_q4_k,
    GGMLQuantizationType.Q5_K: quantize_q5_k,
    GGMLQuantizationType.Q6_K: quantize_q6_k,
}


def _nearest(values: Float32) -> Integers:
    """Round half to even, as the reference's ``nearest_int``; NaN, from a division by zero, becomes zero."""
    return np.nan_to_num(np.rint(values), nan=0.0, posinf=0.0, neginf=0.0).astype(np.int32)


def _affine_blocks(values: Float32, *, top: int, steps: int, start: float) -> tuple[Integers, Blocks, Blocks]:
    """Quantize groups of 32 with a scale and a minimum each, and these with 6 bits and two float16 a block.

    Args:
        values: Shape (blocks, 256).
        top: The highest level.
        steps: Scales that are tried, besides the plain one.
        start: How far below the plain scale the trials start.

    Returns:
        Levels (blocks, 256), the packed scales (blocks, 12), and the two float16 as bytes (blocks, 4).
    """
    groups = values.reshape(-1, 32)
    found = _affine_groups(np.ascontiguousarray(groups.T), top, steps, np.float32(start))
    scales, minima = found[0].reshape(-1, 8), found[1].reshape(-1, 8)
    # Adding zero turns a negative one into a positive, as the reference's comparison does.
    greatest_scale = scales.max(axis=1, keepdims=True).clip(0) + np.float32(0)
    greatest_minimum = minima.max(axis=1, keepdims=True).clip(0) + np.float32(0)
    with np.errstate(all="ignore"):
        scale = (greatest_scale / np.float32(63)).astype(np.float16)
        minimum = (greatest_minimum / np.float32(63)).astype(np.float16)
        scale_steps = np.minimum(63, _nearest(np.float32(63) / greatest_scale * scales))
        minimum_steps = np.minimum(63, _nearest(np.float32(63) / greatest_minimum * minima))
        divisors = (scale.astype(np.float32) * scale_steps.astype(np.float32)).reshape(-1, 1)
        offsets = (minimum.astype(np.float32) * minimum_steps.astype(np.float32)).reshape(-1, 1)
        refined = np.clip(_nearest((groups + offsets) / divisors), 0, top)
    # Where the scale vanished, the reference leaves the levels of the search.
    levels = np.where(divisors == 0, found[2].T, refined).reshape(-1, BLOCK)
    head = np.concatenate([scale, minimum], axis=1).view(np.uint8)
    return levels, _pack_six_bits(scale_steps, minimum_steps), head


def _affine_groups(x: Float32, top: int, steps: int, start: np.float32) -> tuple[Float32, Float32, Integers]:
    """Find the scale and minimum with the least weighted error (``make_qkx2_quants``).

    Args:
        x: Shape (32, groups): sums along the first axis add in order, as the reference does.
        top: The highest level.
        steps: Scales that are tried, besides the plain one.
        start: How far below the plain scale the trials start.

    Returns:
        Scales and negated minima (groups), levels (32, groups).
    """
    limit, highest = np.float32(top), np.maximum.reduce(x)
    weights = np.sqrt(np.add.reduce(x * x) / np.float32(32)) + np.abs(x)
    sum_w, sum_x = np.add.reduce(weights), np.add.reduce(weights * x)
    minimum = np.minimum(np.minimum.reduce(x), np.float32(0))
    with np.errstate(all="ignore"):
        inverse = limit / (highest - minimum)
        scale = np.float32(1) / inverse
        levels = np.clip(_nearest(inverse * (x - minimum)), 0, top)
        best = _weighted_error(x, weights, levels, scale, minimum)
        lowest = minimum
        for step in range(steps + 1):
            inverse = (start + np.float32(0.1) * np.float32(step) + limit) / (highest - minimum)
            trial = np.clip(_nearest(inverse * (x - minimum)), 0, top)
            fit_scale, fit_minimum, is_solvable = _fit(x, weights, trial, sum_w, sum_x)
            error = _weighted_error(x, weights, trial, fit_scale, fit_minimum)
            is_better = is_solvable & (error < best)
            best, scale = np.where(is_better, error, best), np.where(is_better, fit_scale, scale)
            minimum, levels = np.where(is_better, fit_minimum, minimum), np.where(is_better, trial, levels)
    is_flat = highest == lowest  # The reference gives up early on these.
    return np.where(is_flat, np.float32(0), scale), -minimum, np.where(is_flat, 0, levels)


def _fit(
    x: Float32, weights: Float32, levels: Integers, sum_w: Float32, sum_x: Float32
) -> tuple[Float32, Float32, npt.NDArray[np.bool_]]:
    """Solve for the scale and minimum that suit given levels best; the minimum is never positive."""
    weighted = weights * levels.astype(np.float32)
    sum_l, sum_l2 = np.add.reduce(weighted), np.add.reduce(weighted * levels.astype(np.float32))
    sum_xl = np.add.reduce(weighted * x)
    determinant = sum_w * sum_l2 - sum_l * sum_l
    scale = (sum_w * sum_xl - sum_x * sum_l) / determinant
    minimum = (sum_l2 * sum_x - sum_l * sum_xl) / determinant
    is_positive = minimum > 0
    return np.where(is_positive, sum_xl / sum_l2, scale), np.where(is_positive, np.float32(0), minimum), determinant > 0


def _weighted_error(x: Float32, weights: Float32, levels: Integers, scale: Float32, minimum: Float32) -> Float32:
    difference = scale * levels.astype(np.float32) + minimum - x
    return np.asarray(np.add.reduce(weights * (difference * difference)))


def _symmetric_groups(x: Float32) -> tuple[Float32, Integers]:
    """Find the scale of groups of 16 without a minimum, 64 levels (``make_qx_quants`` with squared weights).

    Args:
        x: Shape (16, groups).

    Returns:
        Scales (groups), levels from 0 to 63 (16, groups).
    """
    magnitude = np.abs(x)
    peak = np.take_along_axis(x, magnitude.argmax(axis=0)[None], axis=0)[0]
    weights = x * x
    scale = best = np.zeros_like(peak)
    levels = np.zeros(x.shape, np.int32)
    with np.errstate(all="ignore"):
        for step in (0, *range(-9, 0), *range(1, 10)):
            inverse = -(np.float32(32) + np.float32(0.1) * np.float32(step)) / peak
            trial = np.clip(_nearest(inverse * x), -32, 31)
            level = trial.astype(np.float32)
            sum_lx, sum_l2 = np.add.reduce(weights * x * level), np.add.reduce(weights * level * level)
            is_better = (sum_l2 > 0) & ((sum_lx * sum_lx > best * sum_l2) if step else np.True_)
            scale = np.where(is_better, sum_lx / sum_l2, scale)
            best = np.where(is_better, scale * sum_lx, best)
            levels = np.where(is_better, trial + 32, levels)
    is_empty = magnitude.max(axis=0) < _EPSILON
    return np.where(is_empty, np.float32(0), scale), np.where(is_empty, 0, levels)


def _pack_six_bits(scales: Integers, mins: Integers) -> Blocks:
    """Pack eight scales and eight minima of 6 bits into 12 bytes (``get_scale_min_k4`` reads them)."""
    first = scales[:, :4] | ((scales[:, 4:] >> 4) << 6)
    second = mins[:, :4] | ((mins[:, 4:] >> 4) << 6)
    third = (scales[:, 4:] & 15) | ((mins[:, 4:] & 15) << 4)
    return np.concatenate([first, second, third], axis=1).astype(np.uint8)
