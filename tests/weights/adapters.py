"""Write LoRA adapters by hand, as PEFT and its kin save them."""

import json
from pathlib import Path

import numpy as np

from .safetensors_file import write_safetensors
from .tiny_models import random_values

CONFIG = {
    "peft_type": "LORA",
    "base_model_name_or_path": "org/tiny",
    "r": 4,
    "lora_alpha": 8,
    "target_modules": ["q_proj"],
}


def write_adapter(folder: Path, tensors: dict[str, np.ndarray], **config: object) -> Path:
    """Write an adapter with these tensors, float32, under these very names."""
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(
        folder / "adapter_model.safetensors",
        {name: ("F32", values.astype(np.float32)) for name, values in tensors.items()},
    )
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | config))
    return folder


def matrices(module: str, inputs: int = 64, outputs: int = 64, rank: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Give A and B of a layer."""
    return random_values(f"{module}.A", (rank, inputs)), random_values(f"{module}.B", (outputs, rank))
