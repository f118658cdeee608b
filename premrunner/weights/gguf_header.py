"""What a GGUF's header says, and what follows from it; ``gguf_parser.py`` reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from premrunner.weights.gguf_types import FILE_TYPES

MAGIC = b"GGUF"

Scalar = bool | int | float | str


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
        return prod(self.shape)


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF says of itself.

    Attributes:
        kinds: The number of the type that each key's value has, or each element of its array.
        places: Where each key's entry begins and ends in the file, in the file's order.
    """

    version: int
    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...] = field(repr=False)
    kinds: Mapping[str, int] = field(default_factory=dict, repr=False)
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
