"""Write a GGUF file front to back, hashed right behind; it appears under its name only when it is complete.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3, little-endian, alignment 32.
"""

import errno
import os
import struct
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol

from gguf import GGUF_DEFAULT_ALIGNMENT, GGUF_VERSION, GGMLQuantizationType

from premrunner.errors import StorageFailed
from premrunner.weights.metadata import Entry, Metadata
from premrunner.weights.quantize import row_bytes
from premrunner.weights.trailing_sha256 import TrailingSha256
from premrunner.weights.write_back import WriteBack


@dataclass(frozen=True)
class TensorInfo:
    """What a GGUF header says about a tensor.

    Attributes:
        shape: Outermost first; the file has it the other way round.
    """

    name: str
    shape: tuple[int, ...]
    kind: GGMLQuantizationType

    @property
    def size_bytes(self) -> int:
        """Bytes of its values, without padding."""
        return prod(self.shape[:-1]) * row_bytes(self.shape[-1], self.kind)


@dataclass(frozen=True)
class WrittenFile:
    """A finished file.

    Attributes:
        sha256: Of the whole file, in hexadecimal.
    """

    path: Path
    size_bytes: int
    sha256: str


class LateEntries(Protocol):
    """Keys whose values become known while the tensors are written."""

    def placeholders(self) -> list[Entry]:
        """Return the keys with values of the length that the true ones will have."""

    def entries(self) -> list[Entry]:
        """Wait for the true values, in a thread, and return them."""

    def give_up(self) -> None:
        """Let whoever waits for them fail soon: nobody wants the file any more."""


def file_size(metadata: Metadata, tensors: Sequence[TensorInfo]) -> int:
    """Say how large a file will be."""
    return len(_header(metadata, tensors)) + sum(_padded(tensor.size_bytes) for tensor in tensors)


def write_gguf(
    destination: Path,
    metadata: Metadata,
    tensors: Sequence[TensorInfo],
    values: Iterable[Iterable[Any]],
    late: LateEntries,
) -> WrittenFile:
    """Write a file beside its destination, bring it to disk and rename it.

    Args:
        destination: Replaced if it is there.
        metadata: All other keys.
        tensors: In the order in which their values come.
        values: For each tensor its values in pieces, contiguous buffers in order.
        late: Keys that are waited for meanwhile.

    Raises:
        StorageFailed: The disk is full, or will not take it.
    """
    descriptor, name = -1, ""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{destination.name}.", suffix=".part", dir=destination.parent)
        metadata.extend(late.placeholders())
        header = _header(metadata, tensors)

        def finish_header() -> None:
            metadata.extend(late.entries())
            final = _header(metadata, tensors)
            if len(final) != len(header):
                raise AssertionError(f"The header has {len(final)} bytes where {len(header)} belong")
            _write_at_front(descriptor, final)

        with (
            open(descriptor, "wb", buffering=0) as file,  # noqa: PTH123
            TrailingSha256(descriptor, finish_header, late.give_up) as digest,
        ):
            size_bytes = _write(file, digest, header, tensors, values)
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)  # While the end is still being hashed.
            sha256 = digest.hexdigest()
            os.fsync(descriptor)  # The header may have been finished after the first.
        Path(name).replace(destination)
        _sync_folder(destination.parent)
    except OSError as error:
        raise StorageFailed(storage_reason(error)) from error
    finally:
        if name:
            with suppress(OSError):
                Path(name).unlink()
    return WrittenFile(destination, size_bytes, sha256)


def _write(
    file: Any,
    digest: TrailingSha256,
    header: bytes,
    tensors: Sequence[TensorInfo],
    values: Iterable[Iterable[Any]],
) -> int:
    total, write_back = 0, WriteBack(file.fileno())

    def put(buffer: Any) -> int:
        rest = memoryview(buffer).cast("B")
        count = len(rest)
        while rest:
            rest = rest[file.write(rest) :]
        write_back.advance(count)
        digest.advance(count)
        return count

    total += put(header)
    for tensor, pieces in zip(tensors, values, strict=True):
        written = sum(put(piece) for piece in pieces)
        if written != tensor.size_bytes:
            raise AssertionError(f"{tensor.name}: {written} bytes were made where {tensor.size_bytes} belong")
        total += written + put(bytes(_padded(written) - written))
    return total


def _write_at_front(descriptor: int, data: bytes) -> None:
    place = 0
    while place < len(data):
        place += os.pwrite(descriptor, data[place:], place)


def _header(metadata: Metadata, tensors: Sequence[TensorInfo]) -> bytes:
    entries = metadata.entries()
    parts = [struct.pack("<4sIQQ", b"GGUF", GGUF_VERSION, len(tensors), len(entries)), metadata.pack()]
    offset = 0
    for tensor in tensors:
        name = tensor.name.encode()
        dimensions = tensor.shape[::-1]
        parts.append(
            struct.pack("<Q", len(name))
            + name
            + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, tensor.kind, offset)
        )
        offset += _padded(tensor.size_bytes)
    header = b"".join(parts)
    return header + bytes(_padded(len(header)) - len(header))


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // GGUF_DEFAULT_ALIGNMENT) * GGUF_DEFAULT_ALIGNMENT


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_reason(error: OSError) -> str:
    """Say why the disk did not take a file."""
    if error.errno == errno.ENOSPC:
        return "The disk is full. Free some space and convert again; nothing was left behind."
    return f"The GGUF file could not be written ({error.strerror}); nothing was left behind."
