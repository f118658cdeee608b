"""A model's ``config.json``, with what transformers would assume wherever it is silent.

A fine-tune's config often leaves out what its base's did: Llama 2 has no ``num_key_value_heads``, an old Mistral no
``head_dim``. llama.cpp's converter asks transformers; here each family lists the assumptions.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from premrunner.weights.errors import WeightsInvalid
from premrunner.weights.json_file import read_json_object

# Above any real one (Llama 3.1 405B: 128 heads, 126 layers, 2^20 context); keeps a hostile number out of a loop.
_GREATEST = {"num_hidden_layers": 1000, "n_layer": 1000, "num_local_experts": 4096, "num_experts": 4096}
_GREATEST_INTEGER = 2**31 - 1

_ROPE_OUTSIDE = {
    "rope_theta": ("rope_theta", "rotary_emb_base"),
    "partial_rotary_factor": ("partial_rotary_factor", "rope_pct", "rope_percent"),
    "original_max_position_embeddings": ("original_max_position_embeddings",),
}


class Config:
    """The values of ``config.json``, asked for by any of the names they go by.

    Attributes:
        values: The root's and, over them, those of ``text_config`` (models that also see or hear keep the text
            part's there).
        architecture: First of ``architectures``.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        text = values.get("text_config")
        self.values: dict[str, Any] = {**values, **(text if isinstance(text, dict) else {})}
        # The text part of a larger model names its own class; the whole one decides.
        architectures = values.get("architectures")
        if not isinstance(architectures, list) or not architectures or not isinstance(architectures[0], str):
            raise WeightsInvalid("config.json does not say which architecture this is.", file_name="config.json")
        self.architecture: str = architectures[0][:100]

    def with_defaults(self, defaults: Mapping[str, Any]) -> "Config":
        """Give a copy in which everything that is missing or null is as in ``defaults``."""
        filled = Config(self.values | {"architectures": [self.architecture], "text_config": None})
        for name, value in defaults.items():
            if filled.values.get(name) is None:
                filled.values[name] = value
        return filled

    def find(self, *names: str) -> Any:
        """Give the first of these that is there and not null, or None."""
        return next((self.values[name] for name in names if self.values.get(name) is not None), None)

    def find_integer(self, *names: str) -> int | None:
        """Give an integer, or None where there is none.

        Raises:
            WeightsInvalid: It is not a whole number that could be meant.
        """
        value = self.find(*names)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        greatest = min(_GREATEST.get(name, _GREATEST_INTEGER) for name in names)
        if type(value) is not int or not -1 <= value <= greatest:
            raise _impossible(names[0], value)
        return value

    def integer(self, *names: str) -> int:
        """Give an integer of at least one.

        Raises:
            WeightsInvalid: It is missing or makes no sense.
        """
        value = self.find_integer(*names)
        if value is None:
            raise WeightsInvalid(f"config.json has no {names[0]}.", file_name="config.json")
        if value < 1:
            raise _impossible(names[0], value)
        return value

    def find_number(self, *names: str) -> float | None:
        """Give a number, or None where there is none.

        Raises:
            WeightsInvalid: It is not a number.
        """
        value = self.find(*names)
        return None if value is None else _number(names[0], value)

    @property
    def layer_count(self) -> int:
        """Number of transformer blocks."""
        return self.integer("n_layers", "num_hidden_layers", "n_layer", "num_layers")

    @property
    def head_count(self) -> int:
        """Attention heads of the queries."""
        return self.integer("num_attention_heads", "n_head", "n_heads")

    @property
    def key_value_head_count(self) -> int:
        """Attention heads of the keys and values; as many as of the queries unless they are grouped."""
        return self.find_integer("num_key_value_heads", "n_kv_heads") or self.head_count

    @property
    def width(self) -> int:
        """Length of the hidden state."""
        return self.integer("hidden_size", "n_embd", "dim")

    @property
    def head_width(self) -> int:
        """Length of one head."""
        return self.find_integer("head_dim") or self.width // self.head_count

    @property
    def is_tied(self) -> bool:
        """Whether the embeddings also serve as the output matrix."""
        return bool(self.find("tie_word_embeddings"))

    @property
    def rope(self) -> dict[str, Any]:
        """Rotary embedding's parameters, in transformers 5's form whatever form the config has.

        Either flat, or by kind of layer (``full_attention``, ``sliding_attention``).
        """
        found = self.find("rope_parameters", "rope_scaling")
        rope = dict(found) if isinstance(found, dict) else {}
        if "full_attention" in rope or "sliding_attention" in rope:
            return {kind: value for kind, value in rope.items() if isinstance(value, dict)}
        for name, outside in _ROPE_OUTSIDE.items():
            if rope.get(name) is None and (value := self.find(*outside)) is not None:
                rope[name] = value
        rope.setdefault("rope_type", rope.get("type", "default"))
        if rope["rope_type"] in ("yarn", "longrope", "llama3"):
            rope.setdefault("original_max_position_embeddings", self.find("max_position_embeddings"))
        return rope


def read_config(folder: Path) -> Config:
    """Read a folder's ``config.json``.

    Raises:
        WeightsInvalid: It is missing or makes no sense.
    """
    return Config(read_json_object(folder / "config.json"))


def rope_number(rope: Mapping[str, Any], name: str, default: float) -> float:
    """Give one number of the rotary embedding's parameters.

    Raises:
        WeightsInvalid: It is not a number.
    """
    value = rope.get(name)
    return default if value is None else _number(f"rope_scaling.{name}", value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
        raise _impossible(name, value)
    return value


def _impossible(name: str, value: Any) -> WeightsInvalid:
    return WeightsInvalid(f"config.json: {name} cannot be {str(value)[:40]!r}.", file_name="config.json")
