"""What there is to say about a family of models, as data.

A family's file next to this one is all that is needed to convert it: which hyperparameters GGUF wants and what
config.json calls them, which tensors are rearranged, and where the vocabulary comes from. ``docs/weights.md`` shows how
to add one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, GGUFValueType

from premrunner.weights.config import Config
from premrunner.weights.metadata import Entry
from premrunner.weights.values import Float32


@dataclass(frozen=True)
class Field:
    """A hyperparameter.

    Attributes:
        key: As GGUF spells it, with ``{arch}`` for the family's name.
        names: What config.json may call it; the first that is there counts.
        kind: Type of the value in GGUF.
        is_required: Whether a config without it is refused.
    """

    key: str
    names: tuple[str, ...]
    kind: GGUFValueType = GGUFValueType.UINT32
    is_required: bool = False

    def read(self, config: Config, architecture: str) -> list[Entry]:
        """Give the entry, or none where config.json is silent."""
        value: Any
        if self.kind == GGUFValueType.BOOL:
            value = config.find(*self.names)
            value = None if value is None else bool(value)
        elif self.kind == GGUFValueType.FLOAT32:
            value = config.find_number(*self.names)
        else:
            value = config.integer(*self.names) if self.is_required else config.find_integer(*self.names)
        return [] if value is None else [Entry(self.key.format(arch=architecture), self.kind, value)]


@dataclass(frozen=True)
class Interleave:
    """Rows of q or k whose two rotary halves are put in turns, head by head.

    Attributes:
        suffix: Of the tensor's name.
        of_keys: Whether the key-value heads count, not those of the queries.
    """

    suffix: str
    of_keys: bool = False


@dataclass(frozen=True)
class Stack:
    """Tensors that GGUF keeps as one, stacked along a new first dimension: a layer's experts, say.

    Attributes:
        pattern: Regular expression of a part's whole name, with the groups ``index`` (its place) and whatever
            ``name`` uses.
        name: Of the stack, before it is translated.
        count: What config.json calls the number of parts.
    """

    pattern: str
    name: str
    count: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """A tensor whose second-last dimension holds several of equal size, one after the other.

    Attributes:
        suffix: Of the tensor's name.
        parts: What stands in the place of the suffix in the names of the parts, in order.
    """

    suffix: str
    parts: tuple[str, ...]


def nothing(_: Config) -> dict[str, Any]:
    """Derive nothing from a config."""
    return {}


@dataclass(frozen=True)
class Family:
    """One family of models; one that is like another is its ``dataclasses.replace`` with what differs.

    Attributes:
        names: What ``architectures`` in config.json calls its members.
        model: llama.cpp's name for it.
        fields: Hyperparameters.
        required: Tensors that every layer must have, without ``blk.N.`` and the suffix; alternatives are separated
            by a bar.
        defaults: What transformers assumes where config.json is silent.
        derive: Gives more of these that follow from the config itself.
        more: Gives entries that a field cannot express.
        constants: Gives float32 vectors that GGUF wants as tensors and no checkpoint has, by their GGUF name.
        rename: What is replaced in a tensor's name before anything else looks at it.
        skipped: Pieces of the names of tensors that llama.cpp has no use for.
        interleaved: Tensors whose rows are put in rotary order.
        stacked: Tensors that become one.
        split: Tensors that become several.
        fused_experts: For each matrix that transformers 5 keeps for all experts of a layer at once, what it is made
            of in a checkpoint, part after part; ``{expert}`` is the number. Adapters name the former.
        transposed: Ends of names of matrices that are stored the other way round.
        norm_shift: Added to every norm's weight.
        has_output: Whether there can be an output matrix of its own; without, it is skipped.
        trims_vocabulary: Whether rows of the embeddings past the vocabulary are cut off.
        vocabularies: Which tokenizers to look for, in order: ``sentencepiece``, ``byte_fallback``, ``byte_level``,
            ``unigram``.
        pre_tokenizers: The family's own name for a pre-tokenizer that goes by several.
        tokens: Gives entries about tokens that override what the tokenizer's files say.
        space_prefix: What to write about a space in front of the text: ``as_configured`` in tokenizer_config.json,
            ``never``, or nothing (``unsaid``).
    """

    names: tuple[str, ...]
    model: MODEL_ARCH
    fields: tuple[Field, ...]
    required: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    derive: Callable[[Config], Mapping[str, Any]] = nothing
    more: Callable[[Config], list[Entry]] = lambda _: []
    constants: Callable[[Config], Mapping[str, Float32]] = nothing
    rename: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    interleaved: tuple[Interleave, ...] = ()
    stacked: tuple[Stack, ...] = ()
    split: tuple[Split, ...] = ()
    fused_experts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    transposed: tuple[str, ...] = ()
    norm_shift: float = 0.0
    has_output: bool = True
    trims_vocabulary: bool = False
    vocabularies: tuple[str, ...] = ("byte_level", "sentencepiece", "byte_fallback", "unigram")
    pre_tokenizers: Mapping[str, str] = field(default_factory=dict)
    tokens: Callable[[Config], list[Entry]] = lambda _: []
    space_prefix: Literal["as_configured", "never", "unsaid"] = "unsaid"

    @property
    def architecture(self) -> str:
        """How GGUF spells the family: the prefix of its keys."""
        return MODEL_ARCH_NAMES[self.model]

    def complete(self, config: Config) -> Config:
        """Fill in what config.json leaves to transformers."""
        filled = config.with_defaults(self.defaults)
        return filled.with_defaults(self.derive(filled))

    def entries(self, config: Config) -> list[Entry]:
        """Give the family's keys of a GGUF file.

        Args:
            config: Completed.

        Raises:
            WeightsInvalid: The config lacks a number or has one that cannot be.
        """
        read = [entry for field in self.fields for entry in field.read(config, self.architecture)]
        block_count = Entry(f"{self.architecture}.block_count", GGUFValueType.UINT32, config.layer_count)
        more = [Entry(entry.key.format(arch=self.architecture), entry.kind, entry.value) for entry in self.more(config)]
        return [block_count, *read, *more]
