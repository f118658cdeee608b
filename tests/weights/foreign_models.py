"""Models of a family that is not described here, and llama.cpp's own converter as if it were installed beside us."""

import json
from pathlib import Path

import pytest

from premrunner.weights import foreign_converter

from .oracle import oracle_python
from .safetensors_file import stored, write_safetensors
from .tiny_models import TINY_MODELS, random_values, write_tiny_model


def write_arcee(folder: Path) -> Path:
    """Write a tiny Arcee: Llama without gates."""
    write_tiny_model("llama-sentencepiece", folder)
    shapes = dict(TINY_MODELS["llama"].shapes())
    write_safetensors(
        folder / "model.safetensors",
        {
            name: ("BF16", stored(random_values(name, shape), "BF16"))
            for name, shape in shapes.items()
            if "gate" not in name
        },
    )
    config = json.loads((folder / "config.json").read_text())
    arcee = config | {"architectures": ["ArceeForCausalLM"], "model_type": "arcee", "hidden_act": "relu2"}
    (folder / "config.json").write_text(json.dumps(arcee))
    return folder


def install_converter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the oracle's environment, which has the converter, be ours."""
    monkeypatch.setattr(foreign_converter, "is_installed", lambda: True)
    monkeypatch.setattr("sys.executable", oracle_python())
