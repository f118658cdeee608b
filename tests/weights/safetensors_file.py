"""Write safetensors files as training frameworks do: the tests' own writer, so that they also can write wrong ones."""

import json
from pathlib import Path

import numpy as np

DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "F8_E4M3": np.uint8, "I32": np.int32, "U8": np.uint8}


def to_bf16(values: np.ndarray) -> np.ndarray:
    """Cut float32 values to the bits of bfloat16."""
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def stored(values: np.ndarray, dtype: str) -> np.ndarray:
    """Give values as a file of that dtype holds them."""
    return to_bf16(values) if dtype == "BF16" else values.astype(DTYPES[dtype])


def write_safetensors(path: Path, tensors: dict[str, tuple[str, np.ndarray]]) -> Path:
    """Write tensors, given as dtype and stored values."""
    header, place = {}, 0
    for name, (dtype, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [place, place + values.nbytes]}
        place += values.nbytes
    encoded = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for _, values in tensors.values():
            file.write(np.ascontiguousarray(values).tobytes())
    return path


def write_sharded(folder: Path, tensors: dict[str, tuple[str, np.ndarray]], shard_count: int) -> None:
    """Write tensors in shards with an index, neighbours in different shards."""
    weight_map = {}
    for number in range(shard_count):
        file_name = f"model-{number + 1:05d}-of-{shard_count:05d}.safetensors"
        part = {name: tensors[name] for place, name in enumerate(tensors) if place % shard_count == number}
        write_safetensors(folder / file_name, part)
        weight_map.update(dict.fromkeys(part, file_name))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
