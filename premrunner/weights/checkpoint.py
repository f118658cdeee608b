"""The weights of one folder: which files hold them, that none is missing, and where each tensor lies."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from premrunner.weights.errors import NotWeights, QuantizedCheckpoint, ShardsIncomplete, WeightsInvalid
from premrunner.weights.json_file import MAX_JSON_BYTES, read_json_object
from premrunner.weights.places import NO_PLACES, Places, weights_in
from premrunner.weights.safetensors import StoredTensor, read_header

INDEX_NAME = "model.safetensors.index.json"
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.safetensors")

# What training frameworks leave beside the model and nobody converts.
_NOT_THE_MODEL = ("adapter_", "consolidated", "optimizer", "scheduler", "training_", "rng_state", "ref_model")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

# Tensor names that only a quantized checkpoint has, and what made it.
_QUANTIZED_NAMES = (
    (".qweight", "GPTQ or AWQ"),
    (".qzeros", "GPTQ or AWQ"),
    (".SCB", "bitsandbytes (8 bit)"),
    (".weight.absmax", "bitsandbytes (4 bit)"),
    (".weight.quant_state.bitsandbytes__nf4", "bitsandbytes (4 bit)"),
    (".weight_packed", "compressed-tensors"),
    ("_blocks", "MXFP4"),
)


@dataclass(frozen=True)
class Checkpoint:
    """Every tensor of a model.

    Attributes:
        tensors: By name, in the order of the files and in each by name.
        files: The files that hold them, ordered by name.
    """

    tensors: Mapping[str, StoredTensor]
    files: tuple[Path, ...]

    @property
    def size_bytes(self) -> int:
        """Size of all values together."""
        return sum(tensor.size_bytes for tensor in self.tensors.values())


def open_checkpoint(folder: Path, places: Places = NO_PLACES) -> Checkpoint:
    """Find the weights in a folder and read their headers.

    Args:
        folder: The model's.
        places: Where the bytes of files are that have none of their own.

    Raises:
        NotWeights: There are none, or only pickles.
        ShardsIncomplete: Some are missing, or too many.
        WeightsInvalid: A file is damaged.
    """
    index_path = folder / INDEX_NAME
    weight_map = _read_weight_map(index_path) if index_path.is_file() else {}
    there = _candidates(folder, places)
    files = _indexed_files(folder, there, weight_map) if weight_map else _unindexed_files(folder, there)
    tensors: dict[str, StoredTensor] = {}
    for path in files:
        for tensor in read_header(path, places).values():
            if tensor.name in tensors:
                raise WeightsInvalid(
                    f"Both {tensors[tensor.name].path.name} and {path.name} hold {tensor.name}. Keep one of them.",
                    file_name=path.name,
                )
            tensors[tensor.name] = tensor
    if weight_map:
        _compare_with_index(tensors, weight_map)
    if not tensors:
        raise NotWeights("The weights are empty: there is not one tensor in them.", file_name=files[0].name)
    return Checkpoint(tensors, tuple(files))


def probable_sources(source: Path, places: Places = NO_PLACES) -> Sequence[Path]:
    """List the files that a conversion will most likely read, without opening one.

    Args:
        source: A folder, or a GGUF file.
        places: Where the bytes of files are that have none of their own.
    """
    return [source] if source.is_file() else _candidates(source, places)


def refuse_quantized(checkpoint: Checkpoint, config: Mapping[str, Any]) -> None:
    """Tell the owner of a quantized checkpoint what it is.

    Raises:
        QuantizedCheckpoint: The weights are not what training wrote, by their names or by ``config.json``.
    """
    for name in checkpoint.tensors:
        for suffix, method in _QUANTIZED_NAMES:
            if name.endswith(suffix):
                raise QuantizedCheckpoint(method)
    quantization = config.get("quantization_config")
    if not isinstance(quantization, dict):
        return
    method = str(quantization.get("quant_method", "an unknown method"))[:60]
    has_float8 = any(tensor.dtype.startswith("F8") for tensor in checkpoint.tensors.values())
    has_packed = any(tensor.dtype in ("U8", "I8", "I32") for tensor in checkpoint.tensors.values())
    if has_packed or not (has_float8 or method in ("fp8", "bitsandbytes")):
        # bitsandbytes stays in the config of models that were merged back to 16 bit: then the values decide.
        raise QuantizedCheckpoint(method)


def _read_weight_map(index_path: Path) -> dict[str, str]:
    weight_map = read_json_object(index_path, limit_bytes=MAX_JSON_BYTES).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise WeightsInvalid(f"{index_path.name} has no weight_map.", file_name=index_path.name)
    for file_name in set(map(str, weight_map.values())):
        if Path(file_name).name != file_name or not file_name.endswith(".safetensors"):
            raise WeightsInvalid(
                f"{index_path.name} names {file_name[:80]!r}, which is no file of this folder.",
                file_name=index_path.name,
            )
    return {str(name): str(file_name) for name, file_name in weight_map.items()}


def _indexed_files(folder: Path, there: Sequence[Path], weight_map: Mapping[str, str]) -> list[Path]:
    wanted = sorted(set(weight_map.values()))
    names = {path.name for path in there}
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ShardsIncomplete(
            f"{len(missing)} of {len(wanted)} shards are missing: {', '.join(missing[:5])}.", missing=missing
        )
    surplus = sorted({name for name in names if name.startswith("model")} - set(wanted))
    if surplus:
        raise ShardsIncomplete(
            f"{', '.join(surplus[:5])} is not in {INDEX_NAME}: it belongs to another model or an older save. "
            "Remove it, or the index.",
            surplus=surplus,
        )
    return [folder / name for name in wanted]


def _unindexed_files(folder: Path, there: Sequence[Path]) -> Sequence[Path]:
    files = [path for path in there if path.name.startswith("model")] or there
    if not files:
        raise _nothing_to_convert(folder)
    shards = [match for path in files if (match := _SHARD.fullmatch(path.name))]
    if shards:
        count = max(int(shard["count"]) for shard in shards)
        have = {int(shard["number"]) for shard in shards}
        missing = [
            f"{shards[0]['stem']}-{number:05d}-of-{count:05d}.safetensors"
            for number in range(1, min(count, 10_000) + 1)
            if number not in have
        ]
        if missing:
            raise ShardsIncomplete(
                f"{len(missing)} of {count} shards are missing: {', '.join(missing[:5])}.", missing=missing
            )
    return files


def _candidates(folder: Path, places: Places) -> Sequence[Path]:
    return [path for path in weights_in(folder, "*.safetensors", places) if not path.name.startswith(_NOT_THE_MODEL)]


def _nothing_to_convert(folder: Path) -> NotWeights:
    names = sorted(path.name for path in folder.iterdir())
    pickle = next((name for name in names if name.endswith(_PICKLES) and not name.startswith(_NOT_THE_MODEL)), None)
    if pickle:
        return NotWeights(
            f"{pickle} is a Python pickle, which runs code when it is opened, so it is not read here. "
            "Save the model with `model.save_pretrained(folder, safe_serialization=True)`.",
            file_name=pickle,
        )
    if any(name.startswith("consolidated") for name in names):
        return NotWeights(
            "consolidated.safetensors is Mistral's own layout. Upload the Hugging Face layout of the same model "
            "(model*.safetensors with config.json)."
        )
    return NotWeights("There are no weights here: a model needs *.safetensors files beside its config.json.")


def _compare_with_index(tensors: Mapping[str, StoredTensor], weight_map: Mapping[str, str]) -> None:
    missing = [
        name for name, file_name in weight_map.items() if name not in tensors or tensors[name].path.name != file_name
    ]
    surplus = [name for name in tensors if name not in weight_map]
    if missing:
        raise ShardsIncomplete(
            f"{INDEX_NAME} says that {weight_map[missing[0]]} holds {missing[0]}, and it does not.", missing=missing
        )
    if surplus:
        raise ShardsIncomplete(
            f"{tensors[surplus[0]].path.name} holds {surplus[0]}, which is not in {INDEX_NAME}.", surplus=surplus
        )
