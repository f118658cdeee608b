"""Merge a LoRA adapter into the tensors of its base, in float32, while they are read.

The change of a weight is ``scale * B @ A`` (Hu et al., 2021, arXiv:2106.09685); DoRA then gives each output row the
length that was trained (Liu et al., 2024, arXiv:2402.09353).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from premrunner.weights.adapter import Adapter, LayerChange
from premrunner.weights.architectures.family import Family
from premrunner.weights.errors import BaseMismatch, UnsupportedAdapter
from premrunner.weights.merged_rows import MergedRows
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.rearranged_rows import EveryNthColumn, SlicedRows, StackedRows, TransposedRows
from premrunner.weights.rows import Rows, StoredRows
from premrunner.weights.source import NamedRows

_EMBEDDINGS, _OUTPUT = "model.embed_tokens.weight", "lm_head.weight"


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
    # An adapter that was told to keep both tied says everything twice.
    twice = _OUTPUT if is_tied and adapter.config.ties_weights and _OUTPUT not in by_name else None
    for name, stored in adapter.replacements.items():
        if name == twice:
            continue
        found = _find(by_name, name)
        _check_replacement(found, stored.shape, name)
        rows = StoredRows(stored, files)
        by_name[found.name] = replace(found, shape=stored.shape, rows=rows, is_replaced=True)
    for name, change in adapter.changes.items():
        if name == twice:
            continue
        found = _find(by_name, name)
        by_name[found.name] = _merged(found, change, adapter, family, files)
    for change in adapter.expert_changes:
        _merge_experts(by_name, change, adapter, family, files)
    return list(by_name.values())


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


def _merge_experts(
    by_name: dict[str, NamedRows], change: LayerChange, adapter: Adapter, family: Family, files: OpenFiles
) -> None:
    """Merge a change of all experts of a layer, whose matrices PEFT stacks along the rank.

    A is of shape (experts x rank, inputs), expert by expert; B of shape (outputs, rank x experts), experts in turns
    (``ParamWrapper.get_delta_weight`` in PEFT's tuners/lora/layer.py).
    """
    layer = change.module.removesuffix(".experts").rpartition(".")[0]
    for matrix, parts in family.fused_experts.items():
        fused = by_name.get(f"{change.module}.{matrix}")
        experts = [fused] if fused else _expert_parts(by_name, f"{layer}.", parts)
        count = fused.shape[0] if fused else len(experts) // len(parts)
        if not count or change.rank % count:
            continue
        rank = change.rank // count
        outputs = fused.shape[1] if fused else sum(part.shape[0] for part in experts[: len(parts)])
        if (outputs, experts[0].shape[-1]) != (change.up.shape[0], change.down.shape[1]):
            continue
        scale = adapter.config.scale(f"{change.module}.{matrix}", rank)
        down, up = StoredRows(change.down, files), StoredRows(change.up, files)
        changes = [
            (EveryNthColumn(up, expert, count), SlicedRows(down, expert * rank, rank)) for expert in range(count)
        ]
        if fused:
            slices = [SlicedRows(fused.rows, expert * outputs, outputs) for expert in range(count)]
            merged = [MergedRows(part, *pair, scale) for part, pair in zip(slices, changes, strict=True)]
            by_name[fused.name] = replace(fused, rows=StackedRows(merged))
        for place, part in enumerate([] if fused else experts):
            expert, half = divmod(place, len(parts))
            left = SlicedRows(changes[expert][0], half * part.shape[0], part.shape[0])
            by_name[part.name] = replace(part, rows=MergedRows(part.rows, left, changes[expert][1], scale))
        return
    raise BaseMismatch(change.module, f"has no experts that a change of {change.up.shape} would fit")


def _expert_parts(by_name: Mapping[str, NamedRows], layer: str, parts: Sequence[str]) -> list[NamedRows]:
    """Give the matrices of all experts of a layer: all parts of the first, then of the second..."""
    found: list[NamedRows] = []
    while all(layer + part.format(expert=len(found) // len(parts)) in by_name for part in parts):
        found += [by_name[layer + part.format(expert=len(found) // len(parts))] for part in parts]
    return found
