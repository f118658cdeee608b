"""A LoRA adapter's folder, opened: which layers it changes, and which it brings whole.

Key names: PEFT saves ``base_model.model.<layer>.lora_A.weight``; Unsloth and LLaMA-Factory do the same; a raw
state dict has the adapter's name in it (``lora_A.default.weight``).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from premrunner.weights.adapter_config import CONFIG_NAME, AdapterConfig, read_adapter_config
from premrunner.weights.errors import NotWeights, UnsupportedAdapter, WeightsInvalid
from premrunner.weights.places import NO_PLACES, Places, weights_in
from premrunner.weights.safetensors import StoredTensor, read_header
from premrunner.weights.source import canonical_name

_KEY = re.compile(
    r"(?P<module>.+?)\.(?P<part>lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)"
    r"(?:\.(?!weight$|bias$)(?P<adapter>[^.]+))?(?:\.(?P<kind>weight|bias))?"
)
_SAVED = re.compile(r"\.modules_to_save(?:\.(?!weight$|bias$)(?P<adapter>[^.]+))?(?=\.(?:weight|bias)$)")
_PREFIXES = ("base_model.model.", "base_model.")
# Copies of the base's own weights that a raw state dict carries along.
_ORIGINALS = (".original_module.",)


@dataclass(frozen=True)
class LayerChange:
    """The matrices of one layer.

    Attributes:
        module: The layer, as the base names it.
        down: A: of shape (rank, inputs).
        up: B: of shape (outputs, rank).
        is_embedding: Whether the layer is a table, whose matrices stand the other way round.
        magnitude: DoRA's length of each output row, where it has one.
    """

    module: str
    down: StoredTensor
    up: StoredTensor
    is_embedding: bool
    magnitude: StoredTensor | None

    @property
    def rank(self) -> int:
        """Length of the dimension between the two."""
        return self.down.shape[0]

    @property
    def is_experts(self) -> bool:
        """Whether it changes all experts of a layer at once (PEFT's ``target_parameters``)."""
        return self.module.endswith(".experts")


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter.

    Attributes:
        changes: By the name of the base's tensor that is changed.
        expert_changes: Of a layer's experts at once: the matrices of all stacked along the rank. Each says which
            module the experts are; which of their matrices it changes follows from its shape.
        replacements: Tensors that were trained whole, by the name of the base's.
        files: The weights' files.
    """

    folder: Path
    config: AdapterConfig
    changes: Mapping[str, LayerChange]
    expert_changes: tuple[LayerChange, ...]
    replacements: Mapping[str, StoredTensor]
    files: tuple[Path, ...]

    @property
    def tensors(self) -> Iterator[StoredTensor]:
        """Every stored tensor."""
        for change in (*self.changes.values(), *self.expert_changes):
            yield from filter(None, (change.down, change.up, change.magnitude))
        yield from self.replacements.values()


def is_adapter(folder: Path) -> bool:
    """Say whether a folder holds an adapter and no model of its own."""
    return (folder / CONFIG_NAME).is_file() and not (folder / "config.json").is_file()


def open_adapter(folder: Path, places: Places = NO_PLACES) -> Adapter:
    """Open an adapter's folder; headers only.

    Args:
        folder: The adapter's.
        places: Where the bytes of files are that have none of their own.

    Raises:
        UnsupportedAdapter: A kind that cannot be merged exactly.
        WeightsInvalid: A file is missing or damaged, or a layer lacks one of its matrices.
    """
    config = read_adapter_config(folder)
    files = tuple(weights_in(folder, "adapter_model*.safetensors", places))
    if not files:
        raise _no_weights(folder)
    parts: dict[str, dict[str, StoredTensor]] = {}
    replacements: dict[str, StoredTensor] = {}
    names: set[str] = set()
    for tensor in (tensor for path in files for tensor in read_header(path, places).values()):
        if match := _KEY.fullmatch(tensor.name):
            if match["kind"] == "bias":
                raise UnsupportedAdapter("lora_bias", "which is not merged here; save the merged model with PEFT.")
            names.add(match["adapter"] or "")
            # PEFT wraps a layer's experts once for each of their matrices, so the wrapping tells them apart.
            parts.setdefault(match["module"], {})[match["part"]] = tensor
        elif not any(mark in tensor.name for mark in _ORIGINALS):
            saved = _SAVED.search(tensor.name)
            names.add((saved["adapter"] if saved else None) or "")
            replacements[_replaced_name(tensor.name)] = tensor
    _refuse_several(names)
    if not parts and not replacements:
        raise NotWeights(f"{files[0].name} holds no LoRA matrices.", file_name=files[0].name)
    found = [_layer_change(_base_name(module), matrices, config) for module, matrices in parts.items()]
    return Adapter(
        folder,
        config,
        changes={f"{change.module}.weight": change for change in found if not change.is_experts},
        expert_changes=tuple(change for change in found if change.is_experts),
        replacements=replacements,
        files=files,
    )


def _base_name(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return canonical_name(name.replace(".base_layer", ""))


def _replaced_name(name: str) -> str:
    name = _SAVED.sub("", name)
    if "lora_" in name or "token_adapter" in name or not name.endswith((".weight", ".bias")):
        raise UnsupportedAdapter(f"the tensor {name[:100]}", "which PEFT's LoRA does not have.")
    return _base_name(name)


def _layer_change(module: str, parts: Mapping[str, StoredTensor], config: AdapterConfig) -> LayerChange:
    is_embedding = "lora_embedding_A" in parts
    prefix = "lora_embedding_" if is_embedding else "lora_"
    down, up = parts.get(prefix + "A"), parts.get(prefix + "B")
    if down is None or up is None:
        raise WeightsInvalid(f"The adapter has only one of the two matrices of {module}.")
    if len(down.shape) != 2 or len(up.shape) != 2:
        raise UnsupportedAdapter(f"matrices of {len(down.shape)} dimensions ({module})", "which are no linear layer's.")
    if down.shape[0] != up.shape[1] or not down.shape[0]:
        raise WeightsInvalid(f"The adapter's matrices of {module}, {down.shape} and {up.shape}, do not fit each other.")
    for tensor in (down, up):
        if tensor.dtype not in ("F32", "F16", "BF16"):
            raise WeightsInvalid(f"The adapter's matrices of {module} are kept in {tensor.dtype}.")
    magnitude = parts.get("lora_magnitude_vector")
    if (magnitude is not None) != config.uses_dora:
        raise WeightsInvalid(f"use_dora in {CONFIG_NAME} does not fit the matrices of {module}.", file_name=CONFIG_NAME)
    if magnitude is not None and is_embedding:
        raise UnsupportedAdapter("DoRA on embeddings", "which is not merged here; save the merged model with PEFT.")
    return LayerChange(module, down, up, is_embedding, magnitude)


def _refuse_several(names: set[str]) -> None:
    named = sorted(filter(None, names))
    if len(named) > 1:
        raise UnsupportedAdapter(
            f"several adapters in one file ({', '.join(named)})", "of which only one can be merged. Save it alone."
        )


def _no_weights(folder: Path) -> NotWeights:
    if (folder / "adapter_model.bin").is_file():
        return NotWeights(
            "adapter_model.bin is a Python pickle, which runs code when it is opened. Save the adapter with "
            "`model.save_pretrained(folder, safe_serialization=True)`.",
            file_name="adapter_model.bin",
        )
    return NotWeights("There is no adapter_model.safetensors beside adapter_config.json.")
