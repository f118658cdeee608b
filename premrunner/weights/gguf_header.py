"""Read and check a GGUF's header, whatever a stranger put into it.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The file is mapped, never read whole; every count and
length is held against the bytes that are left before anything is made of it, so a header of 100 bytes that promises
2^60 strings costs 100 bytes. Where Ollama has a sentence for a fault, it is used. The file may lie inside another one,
as a member of a ZIP does that is stored as it is.

``gguf_reader.py`` reads what a conversion needs: every key with all its values. This reads what must be known to judge
a file, and keeps no vocabulary.
"""

import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from premrunner.weights.errors import NotWeights, WeightsInvalid
from premrunner.weights.gguf_types import FILE_TYPES, TENSOR_TYPES

Scalar = bool | int | float | str

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_READABLE_VERSIONS = (2, 3)
_DEFAULT_ALIGNMENT = 32
# The least bytes that one entry can take; bounds the counts at the head of the file.
_LEAST_KEY_BYTES = 8 + 1 + 4 + 1
_LEAST_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8
# ggml's own limits.
_DIMENSIONS_MOST = 4
_NAME_BYTES_MOST = 64
_GO_INT_MOST = 2**63 - 1


@dataclass(frozen=True)
class GgufArray:
    """A metadata array; its values are kept only when they were asked for."""

    length: int
    values: tuple[Scalar, ...] | None


Value = Scalar | GgufArray


@dataclass(frozen=True)
class Tensor:
    """One tensor's entry; the shape has the fastest dimension first, as in the file."""

    name: str
    type_name: str
    shape: tuple[int, ...]
    offset_bytes: int
    size_bytes: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return _product(self.shape)


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF says of itself.

    Attributes:
        places: Where each key's entry begins and ends in the file, in the file's order.
    """

    version: int
    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...] = field(repr=False)
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    @property
    def architecture(self) -> str:
        """``general.architecture``, or "unknown"."""
        return self.text("general.architecture") or "unknown"

    def text(self, key: str) -> str:
        """Return a string of the metadata, "" if it is absent or something else."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """Return a whole number of the metadata, 0 if it is absent or something else.

        Args:
            key: Full key, or one starting with a dot, which is looked up below the architecture's name.
        """
        value = self.metadata.get(f"{self.architecture}{key}" if key.startswith(".") else key)
        if isinstance(value, GgufArray) and value.values:  # A number a layer, in some architectures.
            return max(int(item) for item in value.values if isinstance(item, int | float))
        return value if isinstance(value, int) else 0

    @property
    def parameter_count(self) -> int:
        """Numbers in all tensors."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def quantization(self) -> str:
        """The file type's name, such as ``Q4_K_M``."""
        return FILE_TYPES.get(self.number("general.file_type"), "unknown")

    @property
    def is_projector(self) -> bool:
        """Whether this is a vision or audio projector and no model that could chat (Ollama's rule, create.go:1264)."""
        if self.text("general.type") in {"projector", "mmproj"}:
            return True
        has_blocks = self.number(".block_count") > 0
        encodes = self.metadata.get("clip.has_vision_encoder") or self.metadata.get("clip.has_audio_encoder")
        if self.architecture == "clip":
            return bool(encodes) and not has_blocks
        return self.number(".vision.block_count") > 0 and not has_blocks

    @property
    def cache_bytes_a_token(self) -> int:
        """How much memory the attention cache takes for each token of context, in 16-bit floats."""
        heads = self.number(".attention.head_count") or 1
        head_length = self.number(".embedding_length") // heads
        key_length = self.number(".attention.key_length") or head_length
        value_length = self.number(".attention.value_length") or head_length
        key_value_heads = self.number(".attention.head_count_kv") or heads
        return self.number(".block_count") * key_value_heads * (key_length + value_length) * 2

    @property
    def is_adapter(self) -> bool:
        """Whether this is a LoRA adapter."""
        return self.text("general.type") == "adapter"


MAGIC = b"GGUF"

# Arrays up to this length are kept: figures a layer. Vocabularies are not.
SHORT_ARRAY = 1024


def read_header(
    path: Path, *, offset_bytes: int = 0, size_bytes: int | None = None, longest_kept_array: int = SHORT_ARRAY
) -> GgufHeader:
    """Read and check the header of a GGUF, and that every tensor lies inside the file.

    Args:
        path: The file, or one that holds it.
        offset_bytes: Where it begins there.
        size_bytes: Its length; None for all that follows.
        longest_kept_array: Arrays with more values are only counted.

    Raises:
        NotWeights: It is no GGUF.
        WeightsInvalid: It is one, and broken; in Ollama's words.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2) if size_bytes is None else offset_bytes + size_bytes
        file.seek(offset_bytes)
        if end - offset_bytes < 4 or file.read(4) != MAGIC:
            raise NotWeights("supplied file was not in GGUF format")
        skipped = offset_bytes % mmap.ALLOCATIONGRANULARITY
        begin = offset_bytes - skipped
        with (
            mmap.mmap(file.fileno(), end - begin, access=mmap.ACCESS_READ, offset=begin) as mapped,
            memoryview(mapped) as whole,
            whole[skipped:] as data,
        ):
            try:
                return _Reader(data, longest_kept_array).header()
            except (UnicodeDecodeError, OverflowError) as error:
                raise _broken("GGUF header holds text that is not UTF-8") from error


def _broken(message: str) -> WeightsInvalid:
    return WeightsInvalid(message)


def _product(shape: tuple[int, ...]) -> int:
    elements = 1
    for length in shape:
        elements *= length
    return elements


class _Reader:
    """Walks over a mapped file from its fifth byte on."""

    def __init__(self, data: memoryview, longest_kept_array: int) -> None:
        self._data = data
        self._size = len(data)
        self._at = 4
        self._longest_kept_array = longest_kept_array

    def header(self) -> GgufHeader:
        version = cast(int, self._scalar("<I"))
        if version not in _READABLE_VERSIONS:
            raise _broken(f"unsupported GGUF version {version}")
        tensor_count = self._count("tensor", _LEAST_TENSOR_BYTES)
        key_count = self._count("key", _LEAST_KEY_BYTES)
        metadata: dict[str, Value] = {}
        places: dict[str, tuple[int, int]] = {}
        for _ in range(key_count):
            begin = self._at
            key = self._string()
            if key in metadata:
                raise _broken(f'GGUF key "{key[:100]}" appears twice')
            metadata[key] = self._value(cast(int, self._scalar("<I")), key)
            places[key] = (begin, self._at)
        entries = list(self._tensor_entries(tensor_count))
        tensors = self._placed(entries, _alignment(metadata))
        return GgufHeader(version, metadata, tensors, places)

    def _count(self, what: str, least_bytes: int) -> int:
        count = cast(int, self._scalar("<Q"))
        if count > (self._size - self._at) // least_bytes:
            raise _broken(f"GGUF {what} count {count} exceeds what the file can hold: unexpected EOF")
        return count

    def _scalar(self, form: str) -> Scalar:
        try:
            (value,) = struct.unpack_from(form, self._data, self._at)
        except struct.error as error:
            raise _broken("unexpected EOF") from error
        self._at += struct.calcsize(form)
        return cast(Scalar, value)

    def _string(self) -> str:
        length = self._string_length()
        text = str(self._data[self._at : self._at + length], "utf-8")
        self._at += length
        return text

    def _string_length(self) -> int:
        length = cast(int, self._scalar("<Q"))
        if length > _GO_INT_MOST:
            raise _broken(f"GGUF string length {length} exceeds maximum {_GO_INT_MOST}")
        if length > self._size - self._at:
            raise _broken("unexpected EOF")
        return length

    def _value(self, kind: int, key: str) -> Value:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array(key)
        form = _SCALARS.get(kind)
        if form is None:
            raise _broken(f'GGUF key "{key[:100]}" has the unknown type {kind}')
        return self._scalar(form)

    def _array(self, key: str) -> GgufArray:
        kind = cast(int, self._scalar("<I"))
        if kind != _STRING and kind not in _SCALARS:
            raise _broken(f'GGUF key "{key[:100]}" is an array of the unknown type {kind}')
        form = _SCALARS.get(kind)
        length = self._count(f'array "{key[:100]}"', struct.calcsize(form) if form else 8)
        if length > self._longest_kept_array:
            self._skip(form, length)
            return GgufArray(length, None)
        return GgufArray(length, tuple(self._scalar(form) if form else self._string() for _ in range(length)))

    def _skip(self, form: str | None, length: int) -> None:
        if form:
            self._at += struct.calcsize(form) * length
            return
        for _ in range(length):
            length_bytes = self._string_length()  # Moves on itself, so it must come before the addition.
            self._at += length_bytes

    def _tensor_entries(self, count: int) -> Iterator[tuple[str, tuple[int, ...], int, int]]:
        for _ in range(count):
            name = self._string()
            dimension_count = cast(int, self._scalar("<I"))
            if len(name) > _NAME_BYTES_MOST or not 1 <= dimension_count <= _DIMENSIONS_MOST:
                raise _broken(f'tensor "{name[:100]}" has a bad name or {dimension_count} dimensions')
            shape = tuple(cast(int, self._scalar("<Q")) for _ in range(dimension_count))
            yield name, shape, cast(int, self._scalar("<I")), cast(int, self._scalar("<Q"))

    def _placed(self, entries: list[tuple[str, tuple[int, ...], int, int]], alignment: int) -> tuple[Tensor, ...]:
        start = -(-self._at // alignment) * alignment
        tensors: dict[str, Tensor] = {}
        for name, shape, type_number, offset in entries:
            kind = TENSOR_TYPES.get(type_number)
            if kind is None:
                raise _broken(f'tensor "{name}" has the unknown type {type_number}')
            elements = _product(shape)
            if elements > _GO_INT_MOST or shape[0] % kind.block_elements or min(shape) < 1:
                raise _broken(f'tensor "{name}" has the impossible shape {list(shape)}')
            size = elements // kind.block_elements * kind.block_bytes
            if start + offset + size > self._size:
                raise _broken(f'tensor "{name}" offset+size ({start + offset + size}) exceeds file size ({self._size})')
            if offset % alignment or name in tensors:
                raise _broken(f'tensor "{name}" is misaligned or appears twice')
            tensors[name] = Tensor(name, kind.name, shape, start + offset, size)
        return tuple(tensors.values())


def _alignment(metadata: dict[str, Value]) -> int:
    alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or isinstance(alignment, bool) or alignment < 8 or alignment & (alignment - 1):
        raise _broken("GGUF general.alignment is no power of two of at least 8")
    return alignment
