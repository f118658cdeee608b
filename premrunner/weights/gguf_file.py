"""A GGUF file as a source of weights: every key with all its values, and its tensors as rows."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType

from premrunner.weights.errors import NotWeights, WeightsInvalid
from premrunner.weights.gguf_header import GgufArray, Value
from premrunner.weights.gguf_parser import read_header
from premrunner.weights.metadata import Entry, Metadata
from premrunner.weights.open_files import OpenFiles
from premrunner.weights.values import BLOCKS, Array

_NATIVE: dict[GGMLQuantizationType, tuple[str, npt.DTypeLike]] = {
    GGMLQuantizationType.F32: ("F32", np.dtype("<f4")),
    GGMLQuantizationType.F16: ("F16", np.dtype("<f2")),
    GGMLQuantizationType.BF16: ("BF16", np.dtype("<u2")),
    GGMLQuantizationType.F64: ("F64", np.dtype("<f8")),
}


@dataclass(frozen=True)
class GGUFTensor:
    """A tensor of a GGUF file.

    Attributes:
        shape: Outermost first, unlike in the file.
        offset_bytes: From the start of the file.
    """

    name: str
    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    offset_bytes: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        block, block_bytes = GGML_QUANT_SIZES[self.kind]
        return self.shape[-1] // block * block_bytes

    @property
    def value_count(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of all rows."""
        return prod(self.shape[:-1]) * self.row_bytes


@dataclass(frozen=True)
class GGUFFile:
    """A GGUF file, opened.

    Attributes:
        tensors: By name, in the order of the file.
    """

    path: Path
    metadata: Metadata
    tensors: Mapping[str, GGUFTensor]

    @property
    def architecture(self) -> str:
        """The family, as GGUF spells it."""
        return str(self.metadata.get("general.architecture"))

    def number(self, key: str) -> int | None:
        """Give a number of the architecture (``attention.head_count``), or None."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        return value if type(value) is int else None


@dataclass(frozen=True)
class GGUFRows:
    """A tensor of a GGUF file as rows; quantized ones as their blocks."""

    path: Path
    tensor: GGUFTensor
    files: OpenFiles

    @property
    def dtype(self) -> str:
        """As safetensors spells it, or the type of the blocks."""
        native = _NATIVE.get(self.tensor.kind)
        return native[0] if native else BLOCKS + self.tensor.kind.name

    @property
    def column_count(self) -> int:
        """Values in a row."""
        return self.tensor.shape[-1]

    @property
    def row_count(self) -> int:
        """All other dimensions multiplied."""
        return prod(self.tensor.shape[:-1])

    def read(self, first: int, count: int) -> Array:
        """Read values, or blocks as bytes."""
        values: Array = np.empty((count, self.tensor.row_bytes), np.uint8)
        if values.size:
            self.files.read_into(
                self.path, self.tensor.offset_bytes + first * self.tensor.row_bytes, values.data.cast("B")
            )
        native = _NATIVE.get(self.tensor.kind)
        return values.view(native[1]) if native else values


def read_gguf(path: Path) -> GGUFFile:
    """Read the keys with all their values, and the places of the tensors.

    Raises:
        NotWeights: It is no GGUF file.
        WeightsInvalid: It is one, and damaged.
    """
    try:
        header = read_header(path, longest_kept_array=sys.maxsize)
    except OSError as error:
        raise WeightsInvalid(f"{path.name} cannot be read.", file_name=path.name) from error
    except NotWeights as error:
        raise NotWeights(f"{path.name} is no GGUF file.", file_name=path.name) from error
    except WeightsInvalid as error:
        raise WeightsInvalid(f"{path.name} is damaged: {error}.", file_name=path.name) from error
    entries = (Entry(key, GGUFValueType(header.kinds[key]), _plain(value)) for key, value in header.metadata.items())
    tensors = {
        tensor.name: GGUFTensor(
            tensor.name, tensor.shape[::-1], GGMLQuantizationType[tensor.type_name], tensor.offset_bytes
        )
        for tensor in header.tensors
    }
    return GGUFFile(path, Metadata(entries), tensors)


def _plain(value: Value) -> Any:
    return list(value.values or ()) if isinstance(value, GgufArray) else value
