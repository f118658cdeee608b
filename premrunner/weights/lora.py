"""Merge a LoRA adapter into the tensors of its base, in float32, while they are read.

The change of a weight is ``scale * B @ A`` (Hu et al., 2021, arXiv:2106.09685); DoRA then gives each output row the
length that was trained (Liu et al., 2024, arXiv:2402.09353).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from premrunner.weights.adapter import Adapter, LayerChange
from premrunner.weights.architectures.family import Family
from premrunner.weights.errors import BaseMismatch, UnsupportedAdapter
from premrunner.weights.rows import OpenFiles, Rows, StoredRows, TransposedRows
from premrunner.weights.source import NamedRows
from premrunner.weights.values import Array, Float32, to_float32

_EMBEDDINGS, _OUTPUT = "model.embed_tokens.weight", "lm_head.weight"


@dataclass(frozen=True)
class MergedRows:
    """A matrix with its adapter's change added, read as float32.

    Attributes:
        left: Of shape (rows of the matrix, rank).
        right: Of shape (rank, columns of the matrix).
        magnitude: A single row with the length that each row of the matrix shall have, or None.
    """

    whole: Rows
    left: Rows
    right: Rows
    scale: float
    magnitude: Rows | None = None
    dtype: str = "F32"

    @property
    def column_count(self) -> int:
        """As in the whole."""
        return self.whole.column_count

    @property
    def row_count(self) -> int:
        """As in the whole."""
        return self.whole.row_count

    def read(self, first: int, count: int) -> Array:
        """Read, add and, for DoRA, stretch."""
        change = _wide(self.left, first, count) @ _wide(self.right, 0, self.right.row_count)
        merged = to_float32(self.whole.read(first, count), self.whole.dtype) + change * np.float32(self.scale)
        if self.magnitude is None:
            return merged
        lengths = np.sqrt(np.square(merged).sum(axis=1, keepdims=True))
        wanted = _wide(self.magnitude, 0, self.magnitude.row_count).reshape(-1, 1)[first : first + count]
        stretch = np.divide(wanted, lengths, out=np.ones_like(lengths), where=lengths > 0)
        return np.asarray(merged * stretch)


def merge_adapter(
    tensors: Sequence[NamedRows], adapter: Adapter, family: Family, files: OpenFiles, *, is_tied: bool
) -> list[NamedRows]:
    """Give the base's tensors with the adapter merged in.

    Args:
        tensors: The base's, under their canonical names.
        adapter: Opened.
        family: The base's.
        files: To read the adapter through.
        is_tied: Whether the base's output matrix is its embeddings.

    Raises:
        BaseMismatch: The adapter changes a tensor that the base does not have, or has in another shape.
        UnsupportedAdapter: The family cannot hold an output matrix of its own, and the adapter makes one.
    """
    by_name = {tensor.name: tensor for tensor in tensors}
    _untie(by_name, adapter, family, is_tied=is_tied)
    for name, stored in adapter.replacements.items():
        found = _find(by_name, name)
        _check_replacement(found, stored.shape, name)
        rows = StoredRows(stored, files)
        by_name[found.name] = replace(found, shape=stored.shape, rows=rows, is_replaced=True)
    for name, change in adapter.changes.items():
        found = _find(by_name, name)
        by_name[found.name] = _merged(found, change, adapter, family, files)
    return list(by_name.values())


def prove_base(tensors: Sequence[NamedRows], adapter: Adapter, family: Family, *, is_tied: bool) -> None:
    """Check that every tensor that an adapter changes is there, and fits; reads nothing.

    Raises:
        BaseMismatch: One is not, or does not.
    """
    merge_adapter(tensors, adapter, family, OpenFiles(), is_tied=is_tied)


def _find(by_name: Mapping[str, NamedRows], name: str) -> NamedRows:
    for spelled in (name, f"model.{name}", name.removeprefix("model.")):
        if spelled in by_name:
            return by_name[spelled]
    raise BaseMismatch(name, "is changed by the adapter and is not in the base")


def _check_replacement(found: NamedRows, shape: tuple[int, ...], name: str) -> None:
    """Check the shape of a tensor that comes whole; only a vocabulary may have another length."""
    is_vocabulary = found.name in (_EMBEDDINGS, _OUTPUT)
    if (shape[1:] if is_vocabulary else shape) != (found.shape[1:] if is_vocabulary else found.shape):
        raise BaseMismatch(name, f"has the shape {found.shape} in the base and {shape} in the adapter")


def _merged(found: NamedRows, change: LayerChange, adapter: Adapter, family: Family, files: OpenFiles) -> NamedRows:
    down, up = StoredRows(change.down, files), StoredRows(change.up, files)
    stands_upright = change.is_embedding or _is_transposed(found, change, family)
    shape = (change.up.shape[0], change.down.shape[1])
    if found.shape != (shape[::-1] if stands_upright else shape):
        raise BaseMismatch(found.name, f"has the shape {found.shape} in the base, and the adapter was made for {shape}")
    if change.magnitude is not None and stands_upright:
        raise UnsupportedAdapter("DoRA on transposed layers", "which is not merged here; merge it with PEFT.")
    left: Rows = TransposedRows(down) if stands_upright else up
    right: Rows = TransposedRows(up) if stands_upright else down
    magnitude = StoredRows(change.magnitude, files) if change.magnitude else None
    if magnitude is not None and magnitude.row_count * magnitude.column_count != found.shape[0]:
        raise BaseMismatch(found.name, f"has {found.shape[0]} rows, and the adapter's magnitudes are others")
    scale = adapter.config.scale(change.module, change.rank)
    return replace(found, rows=MergedRows(found.rows, left, right, scale, magnitude))


def _is_transposed(found: NamedRows, change: LayerChange, family: Family) -> bool:
    """Say whether the base keeps the matrix as (inputs, outputs), whatever the adapter's config forgot to say."""
    return bool(family.transposed) and found.name.endswith(family.transposed)


def _untie(by_name: dict[str, NamedRows], adapter: Adapter, family: Family, *, is_tied: bool) -> None:
    """Give the output matrix a life of its own where training changed only one of the two.

    While an adapter is trained, a change of the embeddings does not reach the output matrix, nor the other way round,
    unless PEFT was told to keep them tied (``ensure_weight_tying``).
    """
    if not is_tied or _OUTPUT in by_name or _EMBEDDINGS not in by_name or adapter.config.ties_weights:
        return
    touched = {*adapter.changes, *adapter.replacements}
    embeddings = by_name[_EMBEDDINGS]
    output_is_touched = _OUTPUT in touched
    saved = adapter.replacements.get(_EMBEDDINGS)
    was_resized = saved is not None and saved.shape != embeddings.shape
    trained_alone = "embed_tokens" in str(adapter.config.saved_modules) and not was_resized
    embeddings_are_changed = _EMBEDDINGS in adapter.changes or (saved is not None and trained_alone)
    if not output_is_touched and not embeddings_are_changed:
        return
    if not family.has_output:
        raise UnsupportedAdapter(
            "a change of the embeddings or of the output alone", f"and {family.names[0]} has only one matrix for both."
        )
    by_name[_OUTPUT] = replace(embeddings, name=_OUTPUT)


def _wide(rows: Rows, first: int, count: int) -> Float32:
    return to_float32(rows.read(first, count), rows.dtype)
