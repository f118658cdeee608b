"""The tensors of a model as Hugging Face names them, ready to be read: 8-bit floats scaled, adapters merged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from premrunner.weights.checkpoint import Checkpoint
from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.float8 import SCALE_SUFFIXES, UNUSED_SUFFIXES, scaled
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.rows import Rows, StoredRows
from premrunner.weights.values import NUMPY_DTYPES

# Buffers that old checkpoints keep and nobody reads.
_BUFFERS = (".rotary_emb.inv_freq", ".attention.masked_bias", ".attention.bias")


@dataclass(frozen=True)
class NamedRows:
    """A tensor under its Hugging Face name.

    Attributes:
        shape: Outermost first.
        stored_dtype: What it was before scales or a delta were applied; decides what ``auto`` means.
        is_replaced: Whether an adapter brought it whole, in whatever size.
    """

    name: str
    shape: tuple[int, ...]
    rows: Rows
    stored_dtype: str
    is_replaced: bool = False


def canonical_name(name: str) -> str:
    """Drop what models that also see put in front of their text part."""
    return name.replace("language_model.", "")


def checkpoint_tensors(checkpoint: Checkpoint, config: Mapping[str, Any], files: OpenFiles) -> list[NamedRows]:
    """List the tensors of a checkpoint under their canonical names, ordered as llama.cpp's converter has them.

    Raises:
        WeightsInvalid: A dtype that holds no weights, or scales that do not fit.
    """
    stored = {name: StoredRows(tensor, files) for name, tensor in checkpoint.tensors.items()}
    block = _block_size(config)
    named = []
    for name, rows in stored.items():
        if name.endswith((*_BUFFERS, *UNUSED_SUFFIXES)) or _is_scale(name, stored):
            continue
        if rows.dtype not in NUMPY_DTYPES:
            raise WeightsInvalid(
                f"{rows.tensor.path.name}: {name} holds {rows.dtype}, which no weights are kept in.",
                file_name=rows.tensor.path.name,
            )
        whole: Rows = rows
        if rows.dtype.startswith("F8"):
            scale = next((stored[name + suffix] for suffix in SCALE_SUFFIXES if name + suffix in stored), None)
            whole = scaled(rows, scale, block)
        named.append(NamedRows(canonical_name(name), rows.tensor.shape, whole, rows.dtype))
    return named


def _is_scale(name: str, stored: Mapping[str, StoredRows]) -> bool:
    return any(
        name.endswith(suffix)
        and (weight := stored.get(name.removesuffix(suffix))) is not None
        and weight.dtype.startswith("F8")
        for suffix in SCALE_SUFFIXES
    )


def _block_size(config: Mapping[str, Any]) -> tuple[int, int] | None:
    quantization = config.get("quantization_config")
    block = quantization.get("weight_block_size") if isinstance(quantization, dict) else None
    if isinstance(block, list) and len(block) == 2 and all(type(size) is int and size > 0 for size in block):
        return block[0], block[1]
    return None
