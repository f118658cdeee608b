"""A tensor seen as rows that can be read a few at a time.

A tensor of more than two dimensions is seen with all but the last folded into rows, as GGUF stores it. So the largest
tensor of a model never needs to be in memory, and rearranging, merging and quantizing compose (``rearranged_rows``,
``merged_rows``).
"""

import os
import threading
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np

from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.places import NO_PLACES, Places, place_of
from premrunner.weights.safetensors import StoredTensor
from premrunner.weights.values import NUMPY_DTYPES, Array, Float32


class Rows(Protocol):
    """Rows that can be read.

    Attributes:
        dtype: What ``read`` gives, as safetensors spells it; ``BF16`` comes as its bits (``uint16``).
    """

    @property
    def row_count(self) -> int: ...  # noqa: D102
    @property
    def column_count(self) -> int: ...  # noqa: D102
    @property
    def dtype(self) -> str: ...  # noqa: D102

    def read(self, first: int, count: int) -> Array:
        """Read rows: shape (count, column_count). Safe to call from several threads."""


class OpenFiles:
    """Files opened once for positional reads from several threads.

    Not a memory map: a map counts as memory in use, and kills the process with SIGBUS when somebody shortens the file.

    Args:
        places: Where the bytes of files are that have none of their own.
    """

    def __init__(self, places: Places = NO_PLACES) -> None:
        self.places = places
        self._descriptors: dict[Path, int] = {}
        self._lock = threading.Lock()

    def read_into(self, path: Path, offset_bytes: int, target: memoryview) -> None:
        """Fill ``target`` from an offset in a file.

        Raises:
            WeightsInvalid: The file has become shorter since it was checked.
        """
        if path in self.places:
            offset_bytes += self.places[path].offset_bytes
        descriptor = self._descriptor(self.places[path].path if path in self.places else path)
        while len(target):
            count = os.preadv(descriptor, [target], offset_bytes)
            if not count:
                raise WeightsInvalid(f"{path.name} became shorter while it was read.", file_name=path.name)
            target = target[count:]
            offset_bytes += count

    def size_bytes(self, path: Path) -> int:
        """Return how many bytes a file has."""
        return place_of(path, self.places).size_bytes

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            for descriptor in self._descriptors.values():
                os.close(descriptor)
            self._descriptors.clear()

    def _descriptor(self, path: Path) -> int:
        with self._lock:
            if path not in self._descriptors:
                self._descriptors[path] = os.open(path, os.O_RDONLY)
            return self._descriptors[path]


@dataclass(frozen=True)
class StoredRows:
    """A tensor of a safetensors file, as it is stored."""

    tensor: StoredTensor
    files: OpenFiles

    @property
    def dtype(self) -> str:
        """As stored."""
        return self.tensor.dtype

    @property
    def column_count(self) -> int:
        """Length of the innermost dimension."""
        return self.tensor.shape[-1] if self.tensor.shape else 1

    @property
    def row_count(self) -> int:
        """All other dimensions multiplied."""
        return prod(self.tensor.shape[:-1])

    def read(self, first: int, count: int) -> Array:
        """Read from the file."""
        values = np.empty((count, self.column_count), NUMPY_DTYPES[self.dtype])
        if values.size:
            start = self.tensor.offset_bytes + first * self.column_count * values.itemsize
            self.files.read_into(self.tensor.path, start, values.data.cast("B"))
        return values


@dataclass(frozen=True)
class ConstantRows:
    """Values that the converter makes itself; one row of float32."""

    values: Float32
    dtype: str = "F32"
    row_count: int = 1

    @property
    def column_count(self) -> int:
        """How many there are."""
        return self.values.size

    def read(self, first: int, count: int) -> Array:
        """Give them."""
        return self.values.reshape(1, -1)[first : first + count]
