"""Read the header of a safetensors file without trusting a byte of it.

The format: eight bytes with the header's length (little-endian), a JSON header that gives each tensor its dtype, shape
and place, then the values. https://huggingface.co/docs/safetensors#format
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from premrunner.weights.errors import NotWeights, WeightsInvalid
from premrunner.weights.json_file import parse_json_object
from premrunner.weights.places import NO_PLACES, Places, place_of

# The format allows 100 MB. The largest real header (20 000 tensors in one file) has 3 MB, and parsed JSON takes
# twenty times its size.
MAX_HEADER_BYTES = 16 * 1024 * 1024
MAX_DIMENSIONS = 8
MAX_NAME_CHARACTERS = 512

# Bytes a value takes. Packed sub-byte types (F4, F6) are not here: nothing that can be converted uses them.
DTYPE_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}

_IMPOSTORS = (
    (b"version https://git-lfs", "a Git-LFS pointer: the real file was never downloaded. Run `git lfs pull` first"),
    (b"<", "a web page, probably a login or an error page saved under this name. Download the file again"),
    (b"PK\x03\x04", "a PyTorch pickle or ZIP. Save the model with `save_pretrained(..., safe_serialization=True)`"),
    (b"\x80\x02", "a Python pickle. Save the model with `save_pretrained(..., safe_serialization=True)`"),
    (b"GGUF", "a GGUF file. Rename it to .gguf"),
    (b"{", "plain JSON. The weights themselves are missing"),
)


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies.

    Attributes:
        dtype: As safetensors spells it: ``F16``, ``BF16``, ``F8_E4M3``...
        shape: Outermost first, as in numpy and PyTorch.
        offset_bytes: Of the first value, from the start of the file.
    """

    name: str
    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset_bytes: int
    size_bytes: int


def read_header(path: Path, places: Places = NO_PLACES) -> dict[str, StoredTensor]:
    """Read where each tensor of a file lies, ordered by name; nothing but the header is read.

    Args:
        path: The file.
        places: Where the bytes of files are that have none of their own.

    Raises:
        NotWeights: The file is not safetensors.
        WeightsInvalid: It is, and damaged.
    """
    try:
        place = place_of(path, places)
        size_bytes = place.size_bytes
        with place.path.open("rb") as file:
            file.seek(place.offset_bytes)
            start = file.read(min(64, size_bytes))
            if start[8:9] != b"{":
                # A header's length may begin like anything, so the look of the first bytes only counts without one.
                _refuse_impostors(start, path.name)
            header_bytes = _header_length(start, size_bytes, path.name)
            file.seek(place.offset_bytes + 8)
            header = parse_json_object(file.read(header_bytes), path.name)
    except OSError as error:
        raise WeightsInvalid(f"{path.name} cannot be read.", file_name=path.name) from error
    header.pop("__metadata__", None)
    tensors = [_entry(name, entry, path, 8 + header_bytes) for name, entry in header.items()]
    _check_places(tensors, 8 + header_bytes, size_bytes, path.name)
    return {tensor.name: tensor for tensor in sorted(tensors, key=lambda tensor: tensor.name)}


def _refuse_impostors(start: bytes, file_name: str) -> None:
    for magic, what in _IMPOSTORS:
        if start.lstrip().startswith(magic):
            raise NotWeights(f"{file_name} is {what}.", file_name=file_name)


def _header_length(start: bytes, size_bytes: int, file_name: str) -> int:
    if size_bytes < 10:
        raise NotWeights(f"{file_name} has {size_bytes} bytes; that is no safetensors file.", file_name=file_name)
    length = int.from_bytes(start[:8], "little")
    if length > size_bytes - 8 and start[8:9] == b"{":
        raise WeightsInvalid(
            f"{file_name} is cut off: its header should have {length} bytes and the file has {size_bytes}.",
            file_name=file_name,
        )
    if length > min(size_bytes - 8, MAX_HEADER_BYTES):
        raise NotWeights(
            f"{file_name} is not a safetensors file: its header would have {length} bytes.", file_name=file_name
        )
    return length


def _entry(name: str, entry: Any, path: Path, data_start: int) -> StoredTensor:
    """Build one tensor's place from its header entry, whose numbers may be anything."""

    def refuse(reason: str) -> WeightsInvalid:
        return WeightsInvalid(f"{path.name}: tensor {name[:MAX_NAME_CHARACTERS]!r} {reason}.", file_name=path.name)

    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise refuse("has an impossible name")
    if not isinstance(entry, dict):
        raise refuse("has no description")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise refuse(f"has the unknown dtype {str(dtype)[:40]!r}")
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise refuse("has an impossible shape")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise refuse("has impossible offsets")
    begin, end = offsets
    expected = math.prod(shape) * DTYPE_BYTES[dtype]
    if end - begin != expected:
        raise refuse(f"takes {end - begin} bytes where its shape needs {expected}")
    return StoredTensor(name, path, dtype, tuple(shape), data_start + begin, expected)


def _are_counts(numbers: Any) -> TypeGuard[list[int]]:
    return isinstance(numbers, list) and all(type(number) is int and 0 <= number < 2**48 for number in numbers)


def _check_places(tensors: list[StoredTensor], data_start: int, size_bytes: int, file_name: str) -> None:
    """Check that the tensors fill the file without gap or overlap, which the format demands."""
    place = data_start
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset_bytes, tensor.size_bytes)):
        if tensor.offset_bytes != place:
            fault = "overlaps another" if tensor.offset_bytes < place else "leaves a gap before it"
            raise WeightsInvalid(f"{file_name}: tensor {tensor.name!r} {fault}.", file_name=file_name)
        place += tensor.size_bytes
    if place > size_bytes:
        raise WeightsInvalid(
            f"{file_name} is cut off: it should have {place} bytes and has {size_bytes}. Upload it again.",
            file_name=file_name,
        )
    if place < size_bytes:
        raise WeightsInvalid(
            f"{file_name} has {size_bytes - place} bytes more than its header accounts for.", file_name=file_name
        )
