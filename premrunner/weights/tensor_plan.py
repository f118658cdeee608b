"""Which tensors the GGUF file will have, and from what each is made; nothing is read yet.

Follows ``ModelBase.prepare_tensors`` and each family's ``modify_tensors`` of llama.cpp's converter.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from math import prod

from gguf import MODEL_ARCH, TensorNameMap, get_tensor_name_map

from premrunner.weights.architectures.family import Family, Split, Stack
from premrunner.weights.config import Config
from premrunner.weights.errors import ShardsIncomplete, WeightsInvalid
from premrunner.weights.rearranged_rows import (
    InterleavedRows,
    ShiftedRows,
    SlicedRows,
    StackedRows,
    TransposedRows,
    UprightRows,
)
from premrunner.weights.rows import ConstantRows, Rows
from premrunner.weights.source import NamedRows


@dataclass(frozen=True)
class PlannedTensor:
    """A tensor of the file to be.

    Attributes:
        name: As GGUF spells it.
        shape: Outermost first; GGUF writes it the other way round.
        rows: Where its values come from.
        stored_dtype: What the values are kept in today.
    """

    name: str
    shape: tuple[int, ...]
    rows: Rows
    stored_dtype: str


def plan_tensors(tensors: Iterable[NamedRows], family: Family, config: Config, token_count: int) -> list[PlannedTensor]:
    """Say what the file will hold.

    Args:
        tensors: Under their canonical Hugging Face names.
        family: How to rearrange them.
        config: Completed by the family.
        token_count: Length of the vocabulary.

    Raises:
        WeightsInvalid: A tensor that the family does not have, or that cannot be rearranged.
        ShardsIncomplete: Experts are missing.
    """
    planned = [
        PlannedTensor(name, values.shape, ConstantRows(values), "F32")
        for name, values in family.constants(config).items()
    ]
    names = _name_map(family.model, config.layer_count)
    for tensor in _split(_stacked(_kept(tensors, family), family.stacked, config), family.split):
        name = names.get_name(tensor.name, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise WeightsInvalid(
                f"{tensor.name[:120]} is no tensor of {family.names[0]} with {config.layer_count} layers. "
                "Is this config.json of the same model?"
            )
        rearranged = _rearranged(tensor, family, config)
        if family.trims_vocabulary and name == "token_embd.weight":
            rearranged = _trimmed(rearranged, token_count)
        planned.append(PlannedTensor(name, rearranged.shape, rearranged.rows, tensor.stored_dtype))
    _refuse_twins(planned)
    return planned


@cache
def _name_map(model: MODEL_ARCH, layer_count: int) -> TensorNameMap:
    return get_tensor_name_map(model, layer_count)


def _kept(tensors: Iterable[NamedRows], family: Family) -> Iterator[NamedRows]:
    for tensor in tensors:
        name = tensor.name
        for old, new in family.rename.items():
            name = name.replace(old, new)
        is_output = name == "lm_head.weight" and not family.has_output
        if not is_output and not any(piece in name for piece in family.skipped):
            yield replace(tensor, name=name)


def _stacked(tensors: Iterable[NamedRows], stacks: tuple[Stack, ...], config: Config) -> Iterator[NamedRows]:
    """Give each group of parts as one tensor, in the place of its last part."""
    waiting: dict[str, dict[int, NamedRows]] = {}
    for tensor in tensors:
        found = next(((stack, match) for stack in stacks if (match := re.fullmatch(stack.pattern, tensor.name))), None)
        if found is None:
            yield tensor
            continue
        stack, match = found
        count = config.integer(*stack.count)
        name = stack.name.format(**match.groupdict())
        parts = waiting.setdefault(name, {})
        parts[int(match["index"])] = tensor
        if len(parts) == count and set(parts) == set(range(count)):
            yield _stack(name, [parts[index] for index in range(count)])
            del waiting[name]
    for name, parts in waiting.items():
        raise ShardsIncomplete(f"{name} has {len(parts)} parts, and config.json says another number.", missing=[name])


def _stack(name: str, parts: list[NamedRows]) -> NamedRows:
    first = parts[0]
    for part in parts:
        if part.shape != first.shape:
            raise WeightsInvalid(f"{part.name} has the shape {part.shape} where {first.name} has {first.shape}.")
    return NamedRows(name, (len(parts), *first.shape), StackedRows([part.rows for part in parts]), first.stored_dtype)


def _split(tensors: Iterable[NamedRows], splits: tuple[Split, ...]) -> Iterator[NamedRows]:
    for tensor in tensors:
        split = next((split for split in splits if tensor.name.removesuffix(".weight").endswith(split.suffix)), None)
        if split is None:
            yield tensor
            continue
        *outer, height, width = tensor.shape if len(tensor.shape) > 1 else (1, 1, 1)
        size, rest = divmod(height, len(split.parts))
        if rest:
            raise WeightsInvalid(f"{tensor.name} has {height} rows, which cannot be split in {len(split.parts)}.")
        for place, part in enumerate(split.parts):
            slices = [SlicedRows(tensor.rows, group * height + place * size, size) for group in range(prod(outer))]
            name = tensor.name.removesuffix(".weight").removesuffix(split.suffix) + part
            yield NamedRows(name, (*outer, size, width), StackedRows(slices), tensor.stored_dtype)


def _rearranged(tensor: NamedRows, family: Family, config: Config) -> NamedRows:
    for interleave in family.interleaved:
        if tensor.name.endswith(interleave.suffix):
            head_count = config.key_value_head_count if interleave.of_keys else config.head_count
            if tensor.shape[0] % (2 * head_count):
                raise WeightsInvalid(
                    f"{tensor.name} has {tensor.shape[0]} rows, which {head_count} heads cannot share."
                )
            upright = tensor.rows if len(tensor.shape) > 1 else UprightRows(tensor.rows)
            return replace(tensor, rows=InterleavedRows(upright, head_count))
    if tensor.name.endswith(family.transposed) and family.transposed:
        return replace(tensor, shape=tensor.shape[::-1], rows=TransposedRows(tensor.rows))
    if family.norm_shift and tensor.name.endswith("norm.weight"):
        return replace(tensor, rows=ShiftedRows(tensor.rows, family.norm_shift))
    return tensor


def _trimmed(tensor: NamedRows, token_count: int) -> NamedRows:
    """Cut off rows of the embeddings that no token has."""
    if tensor.shape[0] <= token_count:
        return tensor
    return replace(tensor, shape=(token_count, tensor.shape[1]), rows=SlicedRows(tensor.rows, 0, token_count))


def _refuse_twins(planned: list[PlannedTensor]) -> None:
    seen: set[str] = set()
    for tensor in planned:
        if tensor.name in seen:
            raise WeightsInvalid(f"Two tensors of this checkpoint would become {tensor.name}.")
        seen.add(tensor.name)
