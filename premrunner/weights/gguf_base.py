"""An adapter merged into a GGUF file, for when only that is left of its base.

Tensors that the adapter leaves alone are copied block by block; the others are widened, merged and stored again, in
Q8_0 if their type was coarser. What the base's own quantization lost stays lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gguf import GGMLQuantizationType, get_tensor_name_map

from premrunner.weights.adapter import Adapter, LayerChange
from premrunner.weights.architectures import FAMILIES, KNOWN_ARCHITECTURES
from premrunner.weights.architectures.family import Family
from premrunner.weights.errors import BaseMismatch, UnsupportedAdapter, UnsupportedArchitecture, WeightsInvalid
from premrunner.weights.gguf_file import GGUFFile, GGUFRows
from premrunner.weights.merged_rows import MergedRows
from premrunner.weights.metadata import Metadata
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.output_type import Kind, OutputType
from premrunner.weights.quantization_plan import is_70b, plan_types
from premrunner.weights.rearranged_rows import InterleavedRows, ShiftedRows, TransposedRows, UprightRows
from premrunner.weights.rows import Rows, StoredRows
from premrunner.weights.tensor_plan import PlannedTensor

_EMBEDDINGS, _OUTPUT = "token_embd.weight", "output.weight"
# A change that is smaller than a step of a coarser type is rounded away when it is stored in that type again (seen
# with the lighthouse adapter on a Q4_K_M base), so what the adapter changes becomes at least Q8_0.
_FINE = (Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0)


@dataclass(frozen=True)
class GGUFBase:
    """A GGUF file as the base of an adapter.

    Attributes:
        family: Whose names and row order the adapter has.
    """

    file: GGUFFile
    family: Family

    @property
    def head_counts(self) -> tuple[int, int]:
        """Attention heads of the queries, and of the keys."""
        heads = self.file.number("attention.head_count") or 1
        return heads, self.file.number("attention.head_count_kv") or heads


def open_gguf_base(file: GGUFFile) -> GGUFBase:
    """Identify a GGUF file's family.

    Raises:
        UnsupportedArchitecture: Nobody knows it.
        WeightsInvalid: The file has no weights of a model.
    """
    family = next((family for family in FAMILIES if family.architecture == file.architecture), None)
    if family is None:
        raise UnsupportedArchitecture(file.architecture[:100], KNOWN_ARCHITECTURES)
    if _EMBEDDINGS not in file.tensors or not file.number("block_count"):
        raise WeightsInvalid(f"{file.path.name} holds no complete model.", file_name=file.path.name)
    return GGUFBase(file, family)


def merge_into_gguf(base: GGUFBase, adapter: Adapter, files: OpenFiles) -> list[PlannedTensor]:
    """Give the base's tensors with the adapter merged in.

    Raises:
        BaseMismatch: The adapter changes a tensor that the base does not have, or has in another shape.
        UnsupportedAdapter: It changes experts, or an output matrix that this family cannot have.
    """
    if adapter.expert_changes:
        raise UnsupportedAdapter("experts", "which cannot be merged into a GGUF base; use the base's safetensors.")
    by_name: dict[str, PlannedTensor] = {}
    for name, tensor in base.file.tensors.items():
        stored_rows = GGUFRows(base.file.path, tensor, files)
        by_name[name] = PlannedTensor(name, tensor.shape, stored_rows, stored_rows.dtype)
    for name, change in adapter.changes.items():
        found = _find(by_name, base, name)
        by_name[found.name] = _merged(found, change, adapter, base, files)
    for name, stored in adapter.replacements.items():
        found = _find(by_name, base, name)
        if stored.shape != found.shape:
            raise BaseMismatch(name, f"has the shape {found.shape} in the base and {stored.shape} in the adapter")
        rows: Rows = _ordered(StoredRows(stored, files), name, base)
        if base.family.norm_shift and name.endswith("norm.weight"):
            rows = ShiftedRows(rows, base.family.norm_shift)
        by_name[found.name] = replace(found, rows=rows)
    return list(by_name.values())


def gguf_kinds(
    base: GGUFBase, tensors: Sequence[PlannedTensor], output: OutputType | None
) -> dict[str, GGMLQuantizationType]:
    """Choose a type for each tensor: as it was or finer, or as a conversion to ``output`` would.

    Args:
        base: The file.
        tensors: What it becomes.
        output: What was asked for; None keeps the types.
    """
    if output is None:
        kinds = {name: tensor.kind for name, tensor in base.file.tensors.items()}
        kinds.setdefault(_OUTPUT, kinds[_EMBEDDINGS])
        changed = {tensor.name for tensor in tensors if not isinstance(tensor.rows, GGUFRows)}
        return {
            tensor.name: _finer(kinds[tensor.name], tensor) if tensor.name in changed else kinds[tensor.name]
            for tensor in tensors
        }
    heads, key_heads = base.head_counts
    layer_count = base.file.number("block_count") or 0
    counts = {"head_count": heads, "head_count_kv": key_heads}
    return plan_types(
        tensors,
        output,
        layer_count=layer_count,
        expert_count=base.file.number("expert_count") or 0,
        is_70b=is_70b(base.family.architecture, layer_count, counts),
    )


def _finer(kind: GGMLQuantizationType, tensor: PlannedTensor) -> GGMLQuantizationType:
    if kind in _FINE:
        return kind
    return Kind.Q8_0 if tensor.shape[-1] % 32 == 0 else Kind.F16


def gguf_metadata(base: GGUFBase, name: str | None) -> Metadata:
    """Give the base's keys, for the merged model."""
    metadata = Metadata(entry for entry in base.file.metadata.entries() if not entry.key.startswith("premrunner."))
    if name:
        metadata.add_string("general.name", name)
    return metadata


def _find(by_name: dict[str, PlannedTensor], base: GGUFBase, name: str) -> PlannedTensor:
    names = get_tensor_name_map(base.family.model, base.file.number("block_count") or 0)
    for spelled in (name, f"model.{name}"):
        translated = names.get_name(spelled, try_suffixes=(".weight", ".bias"))
        if translated in by_name:
            return by_name[translated]
        if translated == _OUTPUT:
            if not base.family.has_output:
                raise UnsupportedAdapter("a change of the output alone", "which this family cannot have.")
            return replace(by_name[_EMBEDDINGS], name=_OUTPUT)
    raise BaseMismatch(name, "is changed by the adapter and is not in the base")


def _merged(
    found: PlannedTensor, change: LayerChange, adapter: Adapter, base: GGUFBase, files: OpenFiles
) -> PlannedTensor:
    down, up = StoredRows(change.down, files), StoredRows(change.up, files)
    shape = (change.up.shape[0], change.down.shape[1])
    if found.shape != (shape[::-1] if change.is_embedding else shape):
        raise BaseMismatch(found.name, f"has the shape {found.shape} in the base, and the adapter was made for {shape}")
    name = f"{change.module}.weight"
    left: Any = TransposedRows(down) if change.is_embedding else _ordered(up, name, base)
    right: Any = TransposedRows(up) if change.is_embedding else down
    magnitude: Rows | None = None
    if change.magnitude:
        magnitude = _ordered(StoredRows(change.magnitude, files), name, base)
    scale = adapter.config.scale(change.module, change.rank)
    return replace(found, rows=MergedRows(found.rows, left, right, scale, magnitude))


def _ordered(rows: Rows, name: str, base: GGUFBase) -> Rows:
    """Put rows in the order that GGUF has them in, where the family interleaves them."""
    for interleave in base.family.interleaved:
        if name.endswith(interleave.suffix):
            heads = base.head_counts[1 if interleave.of_keys else 0]
            rows = UprightRows(rows) if rows.row_count == 1 else rows
            if rows.row_count % (2 * heads):
                raise BaseMismatch(name, f"cannot be shared by the base's {heads} heads")
            return InterleavedRows(rows, heads)
    return rows
