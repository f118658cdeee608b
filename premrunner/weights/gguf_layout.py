"""A GGUF put together from the bytes of others without writing any: split parts joined, keys in another order.

Ollama has llama.cpp rewrite a GGUF at create (``server/create.go``, 0.30 and later): the last two keys become
``general.quantization_version`` and ``general.file_type``, and the tensors stand by layer and name. What comes out the
same is kept as it is, so a file put in that order beforehand saves twice the model's size on the disk.
"""

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.gguf_header import MAGIC, GgufHeader, Tensor
from premrunner.weights.gguf_types import TENSOR_TYPES

ALIGNMENT = 32
_VERSION = 3
_LAST = ("general.quantization_version", "general.file_type")
_QUANTIZATION_VERSION = 2
_LAYER = re.compile(r"blk\.(\d+)")
_UINT32, _STRING = 4, 8
_TEMPLATE = "tokenizer.chat_template"
_TYPE_NUMBERS = {kind.name: number for number, kind in TENSOR_TYPES.items()}

# Returns bytes of one part: number of the part, where they begin, how many.
ReadPart = Callable[[int, int, int], bytes]


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of one tensor, and the zeros behind them.

    Attributes:
        part: Number of the part that has them.
        offset_bytes: Where they begin in it.
    """

    part: int
    offset_bytes: int
    size_bytes: int
    padding_bytes: int


@dataclass(frozen=True, slots=True)
class GgufLayout:
    """A whole GGUF: the bytes of its header, then spans of the parts."""

    head: bytes
    spans: Sequence[Span]

    @property
    def size_bytes(self) -> int:
        """Bytes of all of it."""
        return len(self.head) + sum(span.size_bytes + span.padding_bytes for span in self.spans)


def is_in_order(header: GgufHeader) -> bool:
    """Tell whether Ollama keeps a file as it is."""
    is_default = header.metadata.get("general.alignment", ALIGNMENT) == ALIGNMENT
    have_order = list(header.tensors) == sorted(header.tensors, key=lambda tensor: _rank(tensor.name))
    return header.version == _VERSION and tuple(header.metadata)[-2:] == _LAST and is_default and have_order


def lay_out(headers: Sequence[GgufHeader], read: ReadPart, *, template: str = "") -> GgufLayout:
    """Join the parts of a model, or one file alone, with the keys in Ollama's order.

    Args:
        headers: Of the parts, in order; the first has the model's keys.
        read: Returns bytes of a part.
        template: Chat template in place of the model's own; empty keeps that.

    Raises:
        WeightsInvalid: Two parts hold the same tensor.
    """
    keys = _keys(headers[0], lambda begin, size: read(0, begin, size), template)
    tensors = [(part, tensor) for part, header in enumerate(headers) for tensor in header.tensors]
    if len({tensor.name for _, tensor in tensors}) < len(tensors):
        raise WeightsInvalid("Two parts of the model hold the same tensor.")
    tensors.sort(key=lambda found: _rank(found[1].name))
    entries, spans, offset = [], [], 0
    for part, tensor in tensors:
        padding = -tensor.size_bytes % ALIGNMENT
        entries.append(_entry(tensor, offset))
        spans.append(Span(part, tensor.offset_bytes, tensor.size_bytes, padding))
        offset += tensor.size_bytes + padding
    head = b"".join((struct.pack("<4sIQQ", MAGIC, _VERSION, len(tensors), len(keys)), *keys, *entries))
    return GgufLayout(head + bytes(-len(head) % ALIGNMENT), spans)


def _rank(name: str) -> tuple[int, bytes]:
    """Return where llama.cpp sorts a tensor: those of no layer first (``weight_name_comparer``)."""
    layer = _LAYER.match(name)
    return (int(layer[1]) if layer else -1, name.encode())


def _keys(header: GgufHeader, read: Callable[[int, int], bytes], template: str) -> list[bytes]:
    """Return the entries of all keys, as they are but for their order and the template."""
    moved = {*_LAST, "general.alignment", *([_TEMPLATE] if template else [])}
    keys = [_string(_TEMPLATE, template)] if template else []
    keys += [
        read(begin, end - begin)
        for key, (begin, end) in header.places.items()
        if key not in moved and not key.startswith("split.")
    ]
    if _LAST[0] not in header.metadata:
        keys.append(_uint32(_LAST[0], _QUANTIZATION_VERSION))
    return keys + [read(begin, end - begin) for key in _LAST for begin, end in [header.places.get(key, (0, 0))] if end]


def _string(key: str, value: str) -> bytes:
    text = value.encode()
    return struct.pack(f"<Q{len(key)}sIQ", len(key), key.encode(), _STRING, len(text)) + text


def _uint32(key: str, value: int) -> bytes:
    return struct.pack(f"<Q{len(key)}sII", len(key), key.encode(), _UINT32, value)


def _entry(tensor: Tensor, offset: int) -> bytes:
    name = tensor.name.encode()
    dimensions = len(tensor.shape)
    form = f"<Q{len(name)}sI{dimensions}QIQ"
    return struct.pack(form, len(name), name, dimensions, *tensor.shape, _TYPE_NUMBERS[tensor.type_name], offset)
